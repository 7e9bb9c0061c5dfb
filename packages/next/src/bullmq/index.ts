import { isClient } from "./connection.js";
import { QueueService, type QueueServiceOptions } from "./service.js";

export type { WaitOptions } from "../options.js";
export { JobFailedError } from "../options.js";
export type { JobOf, RowChange } from "./adds.js";
export type { CancelOptions } from "./cancel.js";
export { type Connection, RedisError } from "./connection.js";
export type { Flow, FlowChild } from "./flow.js";
export type { BullOptions, ChildOptions } from "./options.js";
export { type Addition, type Followable, QueueService, type QueueServiceOptions } from "./service.js";

const SERVICES = Symbol.for("pushmill/bullmq");

/**
 * One QueueService for all hot reloads of `next dev`, each of which would open connections of its own: with the same
 * options it is the same. A client of ioredis is the same if it is the same object; functions in options don't count.
 *
 *     export const queues = queueService({ connection: { url: process.env.REDIS_URL } });
 */
export function queueService(options: QueueServiceOptions): QueueService {
  const holder = globalThis as { [SERVICES]?: WeakMap<object, Map<string, QueueService>> };
  holder[SERVICES] ??= new WeakMap();
  const { connection, ...rest } = options;
  const owner: object = isClient(connection) ? Object(connection) : holder;
  const services = holder[SERVICES].get(owner) ?? new Map<string, QueueService>();
  holder[SERVICES].set(owner, services);
  const key = JSON.stringify(isClient(connection) ? rest : options);
  const service = services.get(key) ?? new QueueService(options);
  services.set(key, service);
  return service;
}
