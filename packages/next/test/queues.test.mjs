import assert from "node:assert/strict";
import { test } from "node:test";
import { queueOf } from "pushmill";

test("each job has its queue", () => {
  assert.equal(queueOf("push-batch"), "push-notifications");
  assert.equal(queueOf("process-image", { "send-invoice": "invoices" }), "file-processing");
});

test("a team's own jobs have those of its table", () => {
  assert.equal(queueOf("send-invoice", { "send-invoice": "invoices" }), "invoices");
});

for (const name of ["send-invoice", "constructor", "__proto__"]) {
  test(`no queue is known for ${name}`, () => {
    assert.throws(() => queueOf(name), { name: "TypeError", message: /OWN_QUEUES/ });
  });
}
