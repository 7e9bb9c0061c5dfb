import type { Redis } from "./redis-connection.js";
import { scan } from "./scan.js";

/** A queue that bullmq has opened. */
export interface QueueInRedis {
  name: string;
  /** Jobs that a worker has still to run. */
  waiting: number;
  /** The major version of the bullmq that opened it last; null: unknown. */
  major: number | null;
}

const WAITING: [key: string, count: string][] = [
  ["wait", "LLEN"],
  ["paused", "LLEN"],
  ["prioritized", "ZCARD"],
  ["delayed", "ZCARD"],
];
const DEAD = "dead"; // an operator reads it, and no worker

/** All queues of the prefix but that of the dead letters. */
export async function queuesIn(redis: Redis, prefix: string): Promise<QueueInRedis[]> {
  const { keys } = await scan(redis, `${prefix.replace(/[*?[\]\\]/g, "\\$&")}:*:meta`);
  const names = keys.map((key) => key.slice(prefix.length + 1, -":meta".length)).filter((name) => name !== DEAD);
  const found: QueueInRedis[] = [];
  for (const name of names) found.push(await queueIn(redis, `${prefix}:${name}`, name));
  return found;
}

async function queueIn(redis: Redis, key: string, name: string): Promise<QueueInRedis> {
  const counts = await Promise.all(
    WAITING.map(([kind, command]) => redis.call(command, `${key}:${kind}`).catch(() => 0)),
  );
  const version = await redis.call("HGET", `${key}:meta`, "version").catch(() => null);
  const major = /^bullmq:(\d+)\./.exec(String(version))?.[1];
  return {
    name,
    waiting: counts.reduce<number>((sum, count) => sum + Number(count), 0),
    major: major ? Number(major) : null,
  };
}
