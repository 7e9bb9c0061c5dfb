// What a Next.js app does with its queues, by the stock bullmq package. JSON lines come on stdin: first {url, prefix,
// cluster}, then operations, [method, queue, ...arguments]. As each is done a JSON line goes to stdout: {result}, or {error} and
// then no more.
//
// A method is one of those below, "job.<method of Job>" (arguments: the id, then the method's own), or any method of Queue.
// An id of null stands for the job that was added last.
import { createInterface } from "node:readline";
import { load } from "./kit.mjs";

const { FlowProducer, Job, Queue, QueueEvents, Worker } = load("bullmq");

const EVENTS = [
  "added", "waiting", "waiting-children", "delayed", "active", "stalled", "progress", "completed", "failed",
  "retries-exhausted", "deduplicated", "duplicated", "removed", "cleaned", "drained", "paused", "resumed",
];

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { url, prefix, cluster } = JSON.parse((await lines.next()).value);
const nodes = cluster && new (load("ioredis").Cluster)([url]); // one node tells of the others
const options = { connection: nodes || { url }, prefix };
const opened = new Map();
const claimed = new Map();
let lastId;

const methods = {
  add: async (queue, ...job) => plain(remember(await open(Queue, queue).add(...job))),

  addBulk: async (queue, jobs) => (await open(Queue, queue).addBulk(jobs)).map((job) => plain(remember(job))),

  // The tree is that of FlowProducer.add without the queueName of its root.
  addFlow: async (queue, tree) => {
    const flow = await open(FlowProducer).add({ queueName: queue, ...tree });
    remember(flow.job);
    return plain(flow);
  },

  getJob: async (queue, id) => {
    const job = await open(Queue, queue).getJob(id ?? lastId);
    if (!job) return null;
    const { logs } = await open(Queue, queue).getJobLogs(job.id);
    return { ...plain(job), state: await job.getState(), logs };
  },

  // Rejects with the failedReason, or with bullmq's own words after ttl milliseconds.
  waitUntilFinished: async (queue, id, ttl) => (await find(queue, id)).waitUntilFinished(events(queue), ttl),

  // All events of the queue, the past ones too, in order, until `count` of the event `last` came or `ms` went by.
  events: (queue, ms, last, count = 1) =>
    new Promise((resolve) => {
      const seen = [];
      const source = new QueueEvents(queue, { ...options, lastEventId: "0-0" });
      const finish = async () => {
        clearTimeout(timer);
        await source.close();
        resolve(seen);
      };
      const timer = setTimeout(finish, ms);
      for (const event of EVENTS) {
        source.on(event, (fields) => {
          seen.push(event === "drained" ? { event } : { event, ...fields });
          if (event === last && seen.filter((one) => one.event === last).length === count) finish();
        });
      }
    }),

  // The operators' snippet for dead letters: entries called `entry` go back to `queue` as jobs called `name`.
  triage: async (dead, entry, queue, name) => {
    const jobs = await open(Queue, dead).getJobs(["waiting", "delayed", "failed", "completed"], 0, 100);
    const requeued = [];
    for (const job of jobs.filter((one) => one.name === entry)) {
      const retry = { attempts: 3, backoff: { type: "exponential", delay: 5000 } };
      requeued.push(plain(remember(await open(Queue, queue).add(name, job.data?.data, retry))));
      await job.remove();
    }
    return { listed: jobs.map(plain), requeued };
  },

  // A worker, step by step: null if there is nothing to claim.
  claim: async (queue) => {
    const job = await open(Worker, queue, { autorun: false }).getNextJob("token", { block: false });
    if (!job) return null;
    claimed.set(`${queue}:${job.id}`, job);
    return plain(job);
  },
  complete: async (queue, id) => void (await claimed.get(`${queue}:${id}`).moveToCompleted("done", "token", false)),
  fail: async (queue, id) => void (await claimed.get(`${queue}:${id}`).moveToFailed(new Error("no"), "token", false)),
  giveBack: async (queue, id) => void (await claimed.get(`${queue}:${id}`).moveToWait("token")),
};

function open(kind, queue, more = {}) {
  const key = `${kind.name}:${queue}`;
  if (!opened.has(key)) {
    const own = { ...options, ...more };
    const made = kind === FlowProducer ? new kind(own) : kind === Worker ? new kind(queue, null, own) : new kind(queue, own);
    made.on("error", (error) => console.error(`${key}: ${error.message}`));
    opened.set(key, made);
  }
  return opened.get(key);
}

// From the start of the stream: with the default, "$", what happens before the first read is lost.
function events(queue) {
  return open(QueueEvents, queue, { lastEventId: "0-0" });
}

function remember(job) {
  lastId = job.id;
  return job;
}

async function find(queue, id) {
  const job = await open(Queue, queue).getJob(id ?? lastId);
  if (!job) throw new Error(`no job ${id ?? lastId} in ${queue}`);
  return job;
}

function plain(value) {
  if (Array.isArray(value)) return value.map(plain);
  if (value?.job instanceof Job) return { job: plain(value.job), children: plain(value.children ?? []) };
  if (!(value instanceof Job)) return value;
  const { id, name, queueName, data, opts, progress, returnvalue, failedReason, stacktrace } = value;
  const { attemptsMade, attemptsStarted, stalledCounter, processedBy, timestamp, processedOn, finishedOn } = value;
  const { delay, priority, parentKey } = value;
  return {
    id, name, queueName, data, opts, progress, returnvalue, failedReason, stacktrace,
    attemptsMade, attemptsStarted, stalledCounter, processedBy, timestamp, processedOn, finishedOn,
    delay, priority, parentKey,
  };
}

async function perform([method, queue, ...rest]) {
  if (method in methods) return methods[method](queue, ...rest);
  if (method.startsWith("job.")) {
    const [id, ...own] = rest;
    return plain(await (await find(queue, id))[method.slice("job.".length)](...own));
  }
  return plain(await open(Queue, queue)[method](...rest));
}

function print(line) {
  console.log(JSON.stringify(line, (_, value) => value ?? null));
}

try {
  for await (const line of lines) print({ result: await perform(JSON.parse(line)) });
} catch (error) {
  print({ error: error.message });
  console.error(error.stack);
}
await Promise.all([...opened.values()].map((one) => one.close()));
await nodes?.quit?.();
