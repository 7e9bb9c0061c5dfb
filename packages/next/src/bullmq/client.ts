import type { Queue } from "bullmq";
import type { Subscriber } from "./channels.js";

/** What is used of the queue's own client of ioredis. */
export interface Client {
  set(key: string, value: string, unit: "PX", milliseconds: number): Promise<unknown>;
  duplicate(override: object): Subscriber;
}

/** The client of a queue. bullmq 5 has it in the queue, bullmq 6 in the queue's backend. */
export async function clientOf(queue: Queue): Promise<Client> {
  const either = queue as { client?: Promise<unknown>; getBackend?: () => { client: Promise<unknown> } };
  return (await (either.getBackend?.().client ?? either.client)) as Client;
}

/** A connection that waits for its beginning, and ends when it is lost. */
export function listening(client: Client): Subscriber {
  return client.duplicate({ enableOfflineQueue: true, lazyConnect: false, retryStrategy: () => null });
}
