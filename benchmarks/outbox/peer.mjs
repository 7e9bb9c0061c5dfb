// A publisher of the same outbox with pg and bullmq: rounds of 500 under the same lock, `addBulk`, events in a pipeline.
// It checks no job. The packages are those of the example and of the tests. Prints seconds and processor seconds.
import { createRequire } from "node:module";

const example = createRequire(new URL("../../examples/next/package.json", import.meta.url));
const tests = createRequire(new URL("../../tests/node/package.json", import.meta.url));
const pg = example("pg");
const { Queue } = tests("bullmq");
const Redis = tests("ioredis");

const [, , host, redisUrl] = process.argv;
const client = new pg.Client({ host, user: "postgres", database: "postgres" });
await client.connect();
const redis = new (Redis.default ?? Redis)(redisUrl, { maxRetriesPerRequest: null });
const queue = new Queue("search", { connection: redis });
await queue.waitUntilReady();

const next = 'SELECT * FROM "Outbox" WHERE "publishedAt" IS NULL ORDER BY id LIMIT 500';
await round(); // it warms up, and is not measured
const begun = performance.now();
const cpu = process.cpuUsage();
while ((await round()) === 500);
const { user, system } = process.cpuUsage(cpu);
console.log(JSON.stringify([(performance.now() - begun) / 1000, (user + system) / 1e6]));
process.exit(0);

async function round() {
  await client.query("BEGIN");
  await client.query("SELECT pg_try_advisory_xact_lock(7)");
  const { rows } = await client.query(next);
  if (rows.length) await publish(rows);
  await client.query("COMMIT");
  return rows.length;
}

async function publish(rows) {
  const job = ({ id, aggregateId }) => ({
    name: "index_doc",
    data: { entity: "message", id: aggregateId },
    opts: { jobId: `outbox-${id}` },
  });
  await queue.addBulk(rows.map(job));
  const pipe = redis.pipeline();
  for (const { topic, publishedAt, error, ...row } of rows) {
    pipe.publish(`epop.${topic}`, JSON.stringify({ topic, ...row }));
  }
  await pipe.exec();
  await client.query('UPDATE "Outbox" SET "publishedAt" = now() WHERE id = ANY($1)', [rows.map(({ id }) => id)]);
}
