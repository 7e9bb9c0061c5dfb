// The stock bullmq of the tests. `node kit.mjs fill URL JOBS` adds jobs, `node kit.mjs work URL` is a worker.
import { createRequire } from "node:module";

const { Queue, Worker } = createRequire(new URL("../../tests/node/package.json", import.meta.url))("bullmq");
const AT_ONCE = 1000;
const [, , task, url, count] = process.argv;

if (task === "fill") {
  const queue = new Queue("bench", { connection: { url } });
  for (let first = 0; first < Number(count); first += AT_ONCE) {
    const size = Math.min(AT_ONCE, Number(count) - first);
    await queue.addBulk(Array.from({ length: size }, (_, n) => ({ name: "noop", data: { userId: `u${first + n}` } })));
  }
  await queue.close();
} else {
  const worker = new Worker("bench", async () => null, {
    connection: { url },
    concurrency: 5,
    removeOnComplete: { age: 3600, count: 1000 },
    metrics: { maxDataPoints: 10080 },
  });
  worker.on("error", (error) => console.error(error.message));
}
