import type { ConnectionOptions } from "bullmq";

/** A URL, bullmq's `connection`, or a client of ioredis, which then is shared by all queues and stays open. */
export type Connection = ConnectionOptions | string | undefined;

/**
 * Redis did not answer in time, or refused. The message has the reason, and neither the address nor the payload.
 * `mayBeDone`: the command was sent, so the job, or some of several, may have been added all the same.
 */
export class RedisError extends Error {
  override name = "RedisError";

  constructor(
    message: string,
    readonly mayBeDone: boolean,
  ) {
    super(message);
  }
}

const SILENCE = 10_000; // milliseconds without an answer, after which a connection is given up as cut
const SLOWEST_RETRY = 2000; // milliseconds; bullmq's own pause grows to 20 seconds, in which every job is refused

/** The connection for bullmq. Without a server named, ioredis would silently take the one on this machine. */
export function checkedConnection(connection: Connection): ConnectionOptions {
  const options = typeof connection === "object" ? connection : { url: connection ?? "" };
  if (isClient(options)) return options;
  const { url, host, port, path, sentinels } = options as Record<string, unknown>;
  if (!url && !host && !port && !path && !sentinels) {
    throw new TypeError("QueueService: connection names no Redis; is REDIS_URL set?");
  }
  if (url && !/^rediss?:\/\//i.test(String(url))) {
    throw new TypeError("QueueService: connection.url does not begin with redis:// or rediss:// (REDIS_URL)");
  }
  const retryStrategy = (times: number) => Math.min(times * 200, SLOWEST_RETRY);
  // bullmq connects at once in any case. With lazyConnect it would not try a second time.
  return { retryStrategy, ...options, lazyConnect: false };
}

/** The same for producers: what can't be sent now is refused, not kept, so that it is known not to be added. */
export function ofProducer(connection: ConnectionOptions): ConnectionOptions {
  return isClient(connection) ? connection : { enableOfflineQueue: false, socketTimeout: SILENCE, ...connection };
}

/**
 * The same for those who listen. They block, for which bullmq refuses a client of ioredis that gives up a command
 * (`maxRetriesPerRequest`, default 20), though it is a duplicate that it would use.
 */
export function ofListener(connection: ConnectionOptions): ConnectionOptions {
  if (!isClient(connection)) return connection;
  const client = connection as unknown as { options?: object; duplicate(override: object): unknown };
  if (!("maxRetriesPerRequest" in Object(client.options))) return connection;
  const value = () => client.duplicate({ maxRetriesPerRequest: null, lazyConnect: false });
  return Object.create(client, { duplicate: { value, writable: true, configurable: true } }) as ConnectionOptions;
}

/** Whether it is a client, not options or a URL. */
export function isClient(connection: Connection): boolean {
  return typeof Object(connection).connect === "function";
}
