import type { ConnectionOptions } from "bullmq";

/** A URL, bullmq's `connection`, or a client of ioredis, which then is shared by all queues and stays open. */
export type Connection = ConnectionOptions | string | undefined;

/**
 * Redis did not answer in time, or refused. The message has the reason, and neither the address nor the payload.
 * `mayBeDone`: the command was sent, so the job may have been added all the same.
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
  return { retryStrategy: (times: number) => Math.min(times * 200, SLOWEST_RETRY), ...options };
}

/** The same for producers: what can't be sent now is refused, not kept, so that it is known not to be added. */
export function ofProducer(connection: ConnectionOptions): ConnectionOptions {
  return isClient(connection) ? connection : { enableOfflineQueue: false, socketTimeout: SILENCE, ...connection };
}

function isClient(connection: object): boolean {
  return typeof (connection as { connect?: unknown }).connect === "function";
}
