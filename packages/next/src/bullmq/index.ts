import { QueueService, type QueueServiceOptions } from "./service.js";

export type { WaitOptions } from "../options.js";
export { JobFailedError } from "../options.js";
export { type Connection, RedisError } from "./connection.js";
export type { Flow, FlowChild } from "./flow.js";
export type { BullOptions, ChildOptions } from "./options.js";
export { type Addition, type Followable, type JobOf, QueueService, type QueueServiceOptions } from "./service.js";

const SERVICES = Symbol.for("pushmill/bullmq");

/**
 * One QueueService for all hot reloads of `next dev`, each of which would open connections of its own: with the same
 * connection and prefix it is the same.
 *
 *     export const queues = queueService({ connection: { url: process.env.REDIS_URL } });
 */
export function queueService(options: QueueServiceOptions): QueueService {
  const holder = globalThis as { [SERVICES]?: Map<string, QueueService> };
  holder[SERVICES] ??= new Map();
  const services = holder[SERVICES];
  const { url, host, port, db, path } = Object(typeof options.connection === "object" ? options.connection : {});
  const address = typeof options.connection === "string" ? options.connection : [url, host, port, db, path];
  const key = JSON.stringify([address, options.prefix]);
  const service = services.get(key) ?? new QueueService(options);
  services.set(key, service);
  return service;
}
