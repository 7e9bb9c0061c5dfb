// A stock Node worker for one queue, the yardstick for ours: node worker.mjs URL PREFIX QUEUE OPTIONS
// It prints "ready" when it has begun, and closes when its stdin ends. A job's name says what is done with it.
import { setTimeout as sleep } from "node:timers/promises";
import { load } from "./kit.mjs";

const { UnrecoverableError, Worker } = load("bullmq");

const processors = {
  echo: async (job) => job.data,

  noop: async () => null,

  report: async (job) => {
    await job.updateProgress(50);
    await job.log("half way");
    await job.updateProgress({ done: 2, of: 2 });
    return "reported";
  },

  sleep: async (job) => sleep(job.data.ms),

  fail: async (job) => {
    throw new Error(job.data.message);
  },

  "fail-for-good": async (job) => {
    throw new UnrecoverableError(job.data.message);
  },
};

const [url, prefix, queue, options] = process.argv.slice(2);
const worker = new Worker(queue, (job) => processors[job.name](job), { ...JSON.parse(options), connection: { url }, prefix });
worker.on("error", (error) => console.error(error.message));
await worker.waitUntilReady();
console.log("ready");
process.stdin.on("end", () => worker.close()).resume();
