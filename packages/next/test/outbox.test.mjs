import assert from "node:assert/strict";
import { test } from "node:test";
import { outbox } from "pushmill/outbox";

function table() {
  const rows = [];
  const create = async ({ data }) => ({ id: BigInt(rows.push(data)) });
  return { rows, tx: { outbox: { create } } };
}

test("a job is a row of the transaction, with its options", async () => {
  const { rows, tx } = table();
  const data = { to: "ada@example.com", subject: "Hello", text: undefined };
  assert.equal(await outbox(tx).add("send-email", data, { attempts: 2, delay: undefined }), "1");
  assert.equal(rows[0].topic, "job");
  assert.deepEqual(rows[0].payload, {
    name: "send-email",
    data: { to: "ada@example.com", subject: "Hello" },
    options: { attempts: 2 },
  });
});

test("an event says what it is about", async () => {
  const { rows, tx } = table();
  await outbox(tx).event("message.created", 42n, { channel: "general" });
  await outbox(tx).event("message.created", "m-1", {}, "channel");
  assert.deepEqual(rows[0], {
    topic: "message.created",
    aggregateType: "message",
    aggregateId: "42",
    payload: { channel: "general" },
  });
  assert.equal(rows[1].aggregateType, "channel");
});

test("what the worker would refuse is refused before it is written", () => {
  const { rows, tx } = table();
  const long = "a".repeat(201);
  for (const topic of ["job", "", "message created", "message.", long]) {
    assert.throws(() => outbox(tx).event(topic, 1), TypeError);
  }
  assert.throws(() => outbox(tx).event("message.created", long), TypeError);
  assert.throws(() => outbox(tx).event("message.created", 1, {}, long), TypeError);
  assert.deepEqual(rows, []);
});
