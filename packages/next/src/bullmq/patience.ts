import { RedisError } from "./connection.js";

const EVERY = 100; // milliseconds between tries while there is no connection

/** What bullmq's classes have in common. */
export interface Opened {
  waitUntilReady(): Promise<unknown>;
  close(): Promise<unknown>;
  disconnect(): Promise<unknown>;
}

/** What a call of Redis depends on. */
export interface Patience {
  /** Milliseconds for a connection and the answer. */
  timeout: number;
  lastError: () => string | undefined;
  /** Called if the connection can't be used any more: bullmq keeps the failure of its first attempt for ever. */
  drop: () => void;
  /** How many jobs are added. Of several, some may be added before one is refused. */
  jobs?: number | undefined;
}

/** Calls Redis, and waits for a connection and the answer. Throws RedisError. */
export async function within<Value>(opened: Opened, call: () => Promise<Value>, patience: Patience): Promise<Value> {
  const { timeout, drop, jobs = 1 } = patience;
  const until = Date.now() + timeout;
  const ready = opened.waitUntilReady().catch((error) => {
    drop();
    throw unconnected(error, patience.lastError());
  });
  await inTime(until, ready, () => away(patience.lastError()));
  for (;;) {
    try {
      return await inTime(until, call(), () => new RedisError(`Redis did not answer in ${timeout} ms`, true));
    } catch (error) {
      if (isClosed(error)) drop();
      if (!isUnsent(error)) throw told(error, jobs);
      if (Date.now() > until) throw away(patience.lastError());
      await new Promise((resolve) => setTimeout(resolve, EVERY));
    }
  }
}

/** Closes, also if there never was a connection, for which bullmq would wait. */
export async function closed(opened: Opened, timeout: number): Promise<void> {
  const until = Date.now() + timeout;
  await inTime(until, opened.close(), () => new Error("not closed")).catch(() => opened.disconnect().catch(() => {}));
}

/** One line for the error of a connection, without the address: its code where it has one. */
export function line(error: unknown): string {
  const { code, message } = Object(error);
  const reason = String((typeof code === "string" && code) || message || "no reason");
  // An error that has another's message, such as of all sentinels, has no code.
  const [first = ""] = reason.replace(/\b((?:connect|getaddrinfo|MOVED|ASK) \w+) .*/, "$1").split("\n", 1);
  return first.slice(0, 200);
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

function away(reason = "no connection in time"): RedisError {
  return new RedisError(`Redis can't be reached (${reason})`, false);
}

/** Whether the client has ended, and does not connect again. */
export function isClosed(error: unknown): boolean {
  return error instanceof Error && /connection is closed/i.test(error.message);
}

function isRefusal(error: unknown): boolean {
  const { name, command } = Object(error);
  return Boolean(command) || name === "ReplyError";
}

/** The error of a first connection: of the network, of Redis, or bullmq's own, such as of a Redis that is too old. */
function unconnected(error: unknown, lastError?: string): RedisError {
  if (isRefusal(error)) return new RedisError(`Redis refused: ${line(error)}`, false);
  if (isClosed(error)) return away(lastError ?? line(error));
  return typeof Object(error).code === "string" ? away(line(error)) : new RedisError(line(error), false);
}

/** An error of Redis without its command, in which ioredis has the payload. bullmq's own errors stay as they are. */
function told(error: unknown, jobs: number): unknown {
  const { message } = Object(error);
  if (isClosed(error) || /max retries per request/i.test(message)) return new RedisError(line(error), true);
  if (!isRefusal(error)) return error;
  // A transaction is refused as a whole; bullmq sends a bulk in none, and in one a script may still be refused.
  const isPartly = jobs > 1 && !/^EXECABORT/.test(message);
  return new RedisError(`Redis refused: ${line(error)}`, isPartly);
}
