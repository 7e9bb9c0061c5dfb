import assert from "node:assert/strict";
import { test } from "node:test";
import { QueueService } from "pushmill/bullmq";
import { fakeRedis } from "./support/fake-redis.mjs";

// Nothing listens there: what is refused is refused before anything is asked.
const queues = new QueueService({ connection: { url: "redis://127.0.0.1:1" } });

for (const [what, key, seconds] of [
  ["an empty key", ""],
  ["a key that is too long", "x".repeat(201)],
  ["a fraction", 1.5],
  ["no key", undefined],
  ["a list", ["a"]],
  ["no time", "a", 0],
  ["a time that is no number", "a", "60"],
  ["more than 28 days", "a", 28 * 86_400 + 1],
]) {
  test(`${what} is refused`, async () => {
    await assert.rejects(queues.cancel(key, { seconds }), { name: "TypeError", message: /^cancel: / });
  });
}

test("the key stays a day, or as long as it is said", async (t) => {
  const asked = [];
  const redis = await fakeRedis({ set: (...args) => asked.push(args) && "OK" });
  const service = new QueueService({ connection: { host: "127.0.0.1", port: redis.port }, prefix: "mine" });
  t.after(async () => {
    await service.close();
    await redis.close();
  });
  const before = Date.now();
  await service.cancel("room:1");
  await service.cancel(7, { seconds: 0.0001 });
  const [first, second] = asked;
  assert.deepEqual([first[0], ...first.slice(2)], ["mine:pushmill:cancelled:room:1", "PX", "86400000"]);
  assert.deepEqual([second[0], ...second.slice(2)], ["mine:pushmill:cancelled:7", "PX", "1"]);
  assert.ok(before < Number(first[1]) && Number(first[1]) < Number(second[1]) && Number(second[1]) < Date.now());
});
