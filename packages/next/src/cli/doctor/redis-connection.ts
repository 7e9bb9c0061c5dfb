import { createRequire } from "node:module";
import { join } from "node:path";
import { tlsOf } from "../redis-tls.js";
import type { Folder } from "./folder.js";

const PATIENCE = 5_000; // milliseconds

/** What is used of the app's own ioredis, 5 or 6. */
export interface Redis {
  connect(): Promise<void>;
  call(command: string, ...args: (string | number)[]): Promise<unknown>;
  disconnect(): void;
  on(event: "error", hear: (error: Error) => void): unknown;
}

type RedisClass = new (url: string, options: Record<string, unknown>) => Redis;

/** Redis can't be used. The message is one line without the URL's password. */
export class RedisError extends Error {}

/** Connects once, and does not try again. Throws RedisError. */
export async function connect(app: Folder, url: string): Promise<Redis> {
  const Client = clientOf(app);
  if (!Client) throw new RedisError("ioredis is not installed, so it was not looked at: npm install ioredis");
  let redis: Redis | null = null;
  let reason = "";
  try {
    redis = new Client(url, optionsOf(app, url));
    redis.on("error", (error) => {
      reason ||= error.message;
    });
    await redis.connect();
    await redis.call("PING");
    return redis;
  } catch (error) {
    redis?.disconnect();
    throw new RedisError(told(reason || (error as Error).message, url));
  }
}

function optionsOf(app: Folder, url: string): Record<string, unknown> {
  const once = { lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0 };
  return { ...once, connectTimeout: PATIENCE, commandTimeout: PATIENCE, ...tlsOf(url, (name) => app.env.get(name)) };
}

/** bullmq 5 brings an ioredis that the app need not have itself. */
function clientOf(app: Folder): RedisClass | null {
  const module = (app.load("ioredis") ?? besideBullmq(app)) as { default?: RedisClass } | RedisClass | null;
  return (module && "default" in module && module.default) || (module as RedisClass | null);
}

function besideBullmq({ folder }: Folder): unknown {
  try {
    return createRequire(createRequire(join(folder, "package.json")).resolve("bullmq"))("ioredis");
  } catch {
    return null;
  }
}

function told(reason: string, url: string): string {
  const password = URL.canParse(url) ? new URL(url).password : "";
  const plain = [password, decoded(password), url]
    .filter(Boolean)
    .reduce((text, secret) => text.replaceAll(secret, "***"), reason);
  if (/self.signed|CERT|certificate/i.test(plain)) {
    return `${plain}: the connection needs tls: { rejectUnauthorized: false }; for this command set REDIS_TLS_INSECURE=1`;
  }
  return /NOAUTH|WRONGPASS|invalid password/i.test(plain)
    ? `${plain}: the password in REDIS_URL is not Redis's`
    : plain;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
