import assert from "node:assert/strict";
import { test } from "node:test";
import { isContact } from "../dist/esm/cli/contact.js";

// The worker's own cases, of tests/unit/test_push_subject.py.
test("a contact is an address with which a worker starts", () => {
  for (const address of ["ops@example.com", "first.last+push@mail.example.co.uk", "Ops@Example.com"])
    assert.ok(isContact(address), address);
  const refused = ["", "ops", " ops@example.com", "mailto:ops@example.com", "<ops@example.com>", "ops@localhost"];
  refused.push("ops@example.invalid", "ops@server.local", "ops@10.0.0.1", "ops@example.com,me@example.com", "@x.com");
  for (const address of refused) assert.ok(!isContact(address), address);
});
