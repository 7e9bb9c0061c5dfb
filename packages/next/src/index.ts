export * from "./jobs.js";
export * from "./queues.js";
export * from "./status.js";
