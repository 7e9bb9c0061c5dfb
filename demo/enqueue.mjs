// The app's side, by the stock bullmq package: add the jobs that stdin names ({url, jobs: [{queue, name, data}]}), and
// tell what is heard of them, one JSON line an event: {event, id, name, detail}. It ends when every job has ended.
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

const { Queue, QueueEvents } = createRequire(new URL("../tests/node/", import.meta.url))("bullmq");
const PATIENCE = 60_000; // milliseconds

const { url, jobs } = JSON.parse(await text(process.stdin));
const connection = { url };

async function serve(queueName) {
  const names = new Map();
  const print = (event, id, detail) => console.log(JSON.stringify({ event, id, name: names.get(id), detail }));
  const queue = new Queue(queueName, { connection });
  const events = new QueueEvents(queueName, { connection });
  await events.waitUntilReady();
  events.on("progress", ({ jobId, data }) => print("progress", jobId, data));

  const endings = [];
  for (const { name, data } of jobs.filter((job) => job.queue === queueName)) {
    const job = await queue.add(name, data);
    names.set(job.id, name);
    print("added", job.id, queueName);
    const ending = job.waitUntilFinished(events, PATIENCE);
    endings.push(ending.then((result) => print("completed", job.id, result), (error) => print("failed", job.id, error.message)));
  }
  await Promise.all(endings);
  await Promise.all([queue.close(), events.close()]);
}

await Promise.all([...new Set(jobs.map((job) => job.queue))].map(serve));
