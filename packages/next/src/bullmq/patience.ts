import { RedisError } from "./connection.js";

const EVERY = 100; // milliseconds between tries while there is no connection

/** What bullmq's classes have in common. */
export interface Opened {
  waitUntilReady(): Promise<unknown>;
  close(): Promise<unknown>;
  disconnect(): Promise<unknown>;
}

/** Calls Redis, and waits `timeout` milliseconds for a connection and the answer. Throws RedisError. */
export async function within<Value>(
  timeout: number,
  opened: Opened,
  lastError: () => string,
  call: () => Promise<Value>,
): Promise<Value> {
  const until = Date.now() + timeout;
  await inTime(until, opened.waitUntilReady(), () => new RedisError(`Redis can't be reached (${lastError()})`, false));
  for (;;) {
    try {
      return await inTime(until, call(), () => new RedisError(`Redis did not answer in ${timeout} ms`, true));
    } catch (error) {
      if (!isUnsent(error)) throw told(error);
      if (Date.now() > until) throw new RedisError(`Redis can't be reached (${lastError()})`, false);
      await new Promise((resolve) => setTimeout(resolve, EVERY));
    }
  }
}

/** Closes, also if there never was a connection, for which bullmq would wait. */
export async function closed(opened: Opened, timeout: number): Promise<void> {
  const until = Date.now() + timeout;
  await inTime(until, opened.close(), () => new Error("not closed")).catch(() => opened.disconnect().catch(() => {}));
}

/** One line for the error of a connection, which may have no message (AggregateError). */
export function line(error: unknown): string {
  const { code, message } = Object(error);
  return (
    String(message || code || "no reason")
      .split("\n", 1)[0]
      ?.slice(0, 200) ?? ""
  );
}

async function inTime<Value>(until: number, promise: Promise<Value>, late: () => Error): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), until - Date.now());
  });
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
  }
}

/** Whether ioredis refused to keep a command without a connection. */
function isUnsent(error: unknown): boolean {
  return error instanceof Error && /enableOfflineQueue/.test(error.message);
}

/** An error of Redis without its command, in which ioredis has the payload. bullmq's own errors stay as they are. */
function told(error: unknown): unknown {
  const { name, command, message } = Object(error);
  if (/connection is closed|max retries per request/i.test(message)) return new RedisError(line(error), true);
  return command || name === "ReplyError" ? new RedisError(`Redis refused: ${line(error)}`, false) : error;
}
