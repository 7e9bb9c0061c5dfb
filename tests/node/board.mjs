// Bull Board, as an app mounts it, over the worker's queues: node board.mjs URL PREFIX QUEUE...
// It prints its port when it listens, and ends when its stdin does.
import { load } from "./kit.mjs";

const { createBullBoard } = load("@bull-board/api");
const { BullMQAdapter } = load("@bull-board/api/bullMQAdapter");
const { ExpressAdapter } = load("@bull-board/express");
const { Queue } = load("bullmq");
const express = load("express");

const [url, prefix, ...names] = process.argv.slice(2);
const queues = names.map((name) => new Queue(name, { connection: { url }, prefix }));
const serverAdapter = new ExpressAdapter();
createBullBoard({ queues: queues.map((queue) => new BullMQAdapter(queue)), serverAdapter });

const server = express()
  .use(serverAdapter.getRouter())
  .listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit()).resume();
