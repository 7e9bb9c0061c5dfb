import assert from "node:assert/strict";
import { test } from "node:test";
import { Redis } from "ioredis";
import { QueueService, queueService } from "pushmill/bullmq";
import { follower } from "../dist/esm/bullmq/follow.js";
import { line } from "../dist/esm/bullmq/patience.js";
import { fakeRedis } from "./support/fake-redis.mjs";

const PUSH = { name: "push-notification", data: { userId: 1, payload: "a" } };
const IMAGE = { name: "process-image", data: { fileId: 1, filePath: "uploads/1.png", userId: 1 } };
const OOM = "OOM command not allowed when used memory > 'maxmemory'.";
const add = (queues) => queues.add(PUSH.name, PUSH.data);

/** A fake Redis and a service for it, both closed at the end of the test. */
async function service(t, answers, options = {}) {
  const redis = await fakeRedis(answers);
  const queues = new QueueService({ connection: { host: "127.0.0.1", port: redis.port }, ...options });
  t.after(async () => {
    await queues.close();
    await redis.close();
  });
  return { redis, queues };
}

/** A client of the app, closed at the end of the test. */
function client(t, port, options = {}) {
  const client = new Redis({ port, host: "127.0.0.1", retryStrategy: () => 20, ...options });
  client.on("error", () => {});
  t.after(() => client.disconnect());
  return client;
}

/** An answer that is this error from so many calls on. */
function refusedFrom(first, message) {
  let calls = 0;
  return () => (++calls > first ? new Error(message) : String(calls));
}

test("a queue is opened anew after Redis was away at a lazy client's first job", async (t) => {
  const { port, close } = await fakeRedis();
  await close();
  const queues = new QueueService({ connection: client(t, port, { lazyConnect: true }) });
  await assert.rejects(add(queues), { name: "RedisError", message: /ECONNREFUSED/, mayBeDone: false });
  const redis = await fakeRedis({}, port);
  t.after(() => redis.close());
  assert.equal((await add(queues)).id, "1");
  await queues.close();
});

test("lazyConnect in options does not end the patience", async (t) => {
  const { port, close } = await fakeRedis();
  await close();
  const connection = { host: "127.0.0.1", port, lazyConnect: true };
  const queues = new QueueService({ connection, timeout: 60_000 });
  const adding = add(queues);
  await assert.rejects(client(t, port, { lazyConnect: true }).connect());
  const redis = await fakeRedis({}, port);
  t.after(() => redis.close());
  assert.equal((await adding).id, "1");
  await queues.close();
});

test("a queue is opened anew after its first INFO was refused", async (t) => {
  let isAllowed = false;
  const info = () => (isAllowed ? "redis_version:7.4.0\r\n" : new Error("NOPERM no permissions to run 'info'"));
  const { queues, redis } = await service(t, { info });
  const refused = { name: "RedisError", message: /^Redis refused: NOPERM/, mayBeDone: false };
  await assert.rejects(Promise.all([add(queues), add(queues)]), refused);
  await assert.rejects(queues.flow({ ...PUSH, children: [] }), refused);
  isAllowed = true;
  assert.equal((await add(queues)).id, "1");
  await queues.flow({ ...PUSH, children: [] });
  await queues.close();
  for (const socket of redis.sockets)
    if (!socket.destroyed) await new Promise((resolve) => socket.on("close", resolve));
});

test("a queue is opened anew after its client has ended", async (t) => {
  const redis = await fakeRedis();
  t.after(() => redis.close());
  const connection = { host: "127.0.0.1", port: redis.port, retryStrategy: () => null };
  const queues = new QueueService({ connection });
  await add(queues);
  for (const socket of redis.sockets) socket.destroy();
  await assert.rejects(add(queues), { name: "RedisError", mayBeDone: true });
  await add(queues);
  await queues.close();
});

test("one job that Redis refused is not added", async (t) => {
  const { queues } = await service(t, { evalsha: refusedFrom(0, OOM) });
  const refused = { name: "RedisError", message: /^Redis refused: OOM/, mayBeDone: false };
  await assert.rejects(add(queues), refused);
  await assert.rejects(queues.addBulk([PUSH]), refused);
});

test("some of many jobs may be added if Redis refused one", async (t) => {
  const { queues } = await service(t, { evalsha: refusedFrom(1, OOM) });
  const refused = { name: "RedisError", message: /^Redis refused: OOM/, mayBeDone: true };
  await assert.rejects(queues.addBulk([PUSH, PUSH]), refused);
});

test("some of many jobs are added if Redis refused those of another queue", async (t) => {
  const { queues } = await service(t, { evalsha: refusedFrom(1, OOM) });
  const refused = { name: "RedisError", message: /^Redis refused: OOM/, mayBeDone: true };
  await assert.rejects(queues.addBulk([PUSH, IMAGE]), refused);
});

test("a flow may be added in part, unless its transaction was refused", async (t) => {
  const { queues } = await service(t, { evalsha: refusedFrom(0, OOM) });
  const flow = { ...PUSH, children: [IMAGE] };
  await assert.rejects(queues.flow(flow), { name: "RedisError", mayBeDone: true });
  await assert.rejects(queues.flow(PUSH), { name: "RedisError", mayBeDone: false });
  const aborted = new Error("EXECABORT Transaction discarded because of previous errors.");
  const { queues: readOnly } = await service(t, { exec: () => aborted });
  await assert.rejects(readOnly.flow(flow), { name: "RedisError", message: /EXECABORT/, mayBeDone: false });
});

test("services are the same if their options are", (t) => {
  const one = client(t, 1, { lazyConnect: true });
  const two = client(t, 2, { lazyConnect: true });
  assert.equal(queueService({ connection: one }), queueService({ connection: one }));
  assert.notEqual(queueService({ connection: one }), queueService({ connection: two }));
  assert.notEqual(queueService({ connection: one }), queueService({ connection: one, prefix: "other" }));
  const sentinels = (name, port) => ({ connection: { sentinels: [{ host: "one.example", port }], name } });
  assert.equal(queueService(sentinels("a", 1)), queueService(sentinels("a", 1)));
  assert.notEqual(queueService(sentinels("a", 1)), queueService(sentinels("b", 1)));
  assert.notEqual(queueService(sentinels("a", 1)), queueService(sentinels("a", 2)));
  const connection = { url: "redis://127.0.0.1:1" };
  const retrying = () => ({ connection: { ...connection, retryStrategy: () => 1 } });
  assert.equal(queueService(retrying()), queueService(retrying()));
  assert.notEqual(queueService({ connection }), queueService({ connection, timeout: 1 }));
  assert.notEqual(queueService({ connection }), queueService({ connection, queues: { mine: "own" } }));
});

test("jobs are followed with a client of ioredis' default options", async (t) => {
  const fields = ["name", PUSH.name, "data", "{}", "opts", "{}", "timestamp", "1"];
  const redis = await fakeRedis({ evalsha: () => "waiting", hgetall: () => fields });
  t.after(() => redis.close());
  const shared = client(t, redis.port);
  const queues = new QueueService({ connection: shared });
  const events = queues.events({ id: "one", queue: "push-notifications" });
  assert.equal((await events.next()).value.type, "progress");
  while (!redis.asked.includes("xread")) await new Promise(setImmediate);
  await queues.close();
  await events.return();
  while (redis.sockets.size > 1) await new Promise(setImmediate);
  assert.equal(await shared.ping(), "OK");
});

test("nothing is followed if the connection can't be opened", () => {
  const closed = [];
  const events = { on: () => events };
  let isRefused = true;
  const follow = follower(
    () => {
      if (isRefused) throw new TypeError("no Redis");
      return events;
    },
    (it) => closed.push(it),
  );
  assert.throws(() => follow("one"), TypeError);
  isRefused = false;
  follow("two").stop();
  assert.deepEqual(closed, [events]);
});

test("no address is in the error of a connection", async () => {
  const queues = new QueueService({ connection: { url: "redis://127.0.0.1:1" }, timeout: 300 });
  const error = await add(queues).catch((error) => error);
  await queues.close();
  assert.equal(error.message, "Redis can't be reached (ECONNREFUSED)");
  const many = "All sentinels are unreachable. Last error: connect ECONNREFUSED 10.0.0.5:26379";
  assert.equal(line(new Error(many)), "All sentinels are unreachable. Last error: connect ECONNREFUSED");
  assert.equal(line(new Error("MOVED 3999 10.0.0.5:6381")), "MOVED 3999");
  assert.equal(
    line(new Error("WRONGPASS invalid username-password pair\nmore")),
    "WRONGPASS invalid username-password pair",
  );
});
