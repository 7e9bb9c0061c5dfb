import assert from "node:assert/strict";
import { test } from "node:test";
import { QueueService, queueService } from "pushmill/bullmq";

// Nothing listens there: what is refused is refused before anything is asked.
const queues = new QueueService({ connection: { url: "redis://127.0.0.1:1" } });
const IMAGE = { fileId: 1, filePath: "uploads/1.png", userId: 1 };

for (const [what, options, reason] of [
  ["a misspelt option", { attemps: 3 }, "option attemps is no option of a job"],
  ["a schedule", { repeat: { every: 1000 } }, "upsertJobScheduler"],
  ["a failed child outside of a flow", { failParentOnFailure: true }, "is no option of a job"],
  ["lifo with a delay, which bullmq ignores", { lifo: true, delay: 5 }, "is ignored by bullmq"],
  ["lifo with a priority, which bullmq ignores", { lifo: true, priority: 5 }, "is ignored by bullmq"],
  ["a priority by name", { priority: "high" }, "option priority is a whole number"],
  ["a priority beyond the last", { priority: 2_097_152 }, "option priority is a whole number"],
  ["no attempts", { attempts: 0 }, "option attempts is a whole number of 1 or more"],
  ["attempts as text", { attempts: "3" }, "option attempts is a whole number of 1 or more"],
  ["a delay in the past", { delay: -1 }, "option delay is a whole number"],
  ["a delay that is no number", { delay: Number.NaN }, "option delay is a whole number"],
  ["a backoff of the app's own", { backoff: { type: "mine" } }, "option backoff is milliseconds"],
  ["too much jitter", { backoff: { type: "fixed", delay: 5, jitter: 2 } }, "jitter from 0 to 1"],
  ["a retention without a bound", { removeOnComplete: {} }, "option removeOnComplete is true, false"],
  ["a retention of the other kind", { removeOnFail: "1h" }, "option removeOnFail is true, false"],
  ["a deduplication without an id", { deduplication: { ttl: 5 } }, "option deduplication needs an id"],
  ["a last job with a ttl", { deduplication: { id: "a", ttl: 5, keepLastIfActive: true } }, "is without ttl"],
  ["an id that is a key of the queue", { jobId: "meta" }, "no name that bullmq keeps for itself"],
  ["an id that is a number", { jobId: "17" }, "is no whole number"],
  ["an id with a colon", { jobId: "a:b" }, "option jobId has 1 to 128 letters"],
  ["an id that is a number's type", { jobId: 17 }, "option jobId has 1 to 128 letters"],
]) {
  test(`${what} is refused by add, addBulk and flow`, async () => {
    const refused = { name: "TypeError", message: new RegExp(`^process-image: .*${reason}`) };
    const job = { name: "process-image", data: IMAGE, options };
    await assert.rejects(queues.add(job.name, job.data, options), refused);
    await assert.rejects(queues.addBulk([{ ...job, options: {} }, job]), refused);
    await assert.rejects(queues.flow({ ...job, children: [] }), refused);
    if (what.startsWith("a failed child")) return;
    await assert.rejects(queues.flow({ name: "push-batch", data: { all: true }, children: [job] }), refused);
  });
}

test("a job of a flow has at most 1,000 children", async () => {
  const children = Array.from({ length: 1001 }, () => ({ name: "process-image", data: IMAGE }));
  await assert.rejects(queues.flow({ name: "push-batch", data: { all: true }, children }), {
    name: "TypeError",
    message: "push-batch: a job of a flow has at most 1,000 children, and this one 1001",
  });
});

test("a job that nobody serves is refused", async () => {
  for (const name of ["proces-image", "__proto__", ""]) {
    await assert.rejects(queues.add(name, {}), { name: "TypeError", message: /no queue is known for the job/ });
  }
  await assert.rejects(queues.failed("file-procesing"), {
    name: "TypeError",
    message: "no such queue: file-procesing",
  });
});

test("an option that is undefined is left out", async () => {
  const late = new QueueService({ connection: { url: "redis://127.0.0.1:1" }, timeout: 1 });
  const options = { attempts: undefined, jobId: undefined, delay: 0, lifo: false };
  await assert.rejects(late.add("process-image", IMAGE, options), { name: "RedisError", mayBeDone: false });
  await late.close();
});

test("a missing Redis is named by the first call, and not by the import", async () => {
  for (const connection of [undefined, "", {}, { url: undefined }]) {
    await assert.rejects(queueService({ connection }).counts(), { name: "TypeError", message: /is REDIS_URL set\?$/ });
  }
});
