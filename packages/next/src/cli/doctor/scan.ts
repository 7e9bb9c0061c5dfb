import type { Redis } from "./redis-connection.js";

const AT_ONCE = 1_000;
const LOOKS = 500; // so at most half a million keys are passed

/** The keys of a pattern, and whether all keys were passed. Redis is not blocked meanwhile. */
export async function scan(redis: Redis, pattern: string): Promise<{ keys: string[]; isWhole: boolean }> {
  const found = new Set<string>();
  let cursor = "0";
  for (let looks = 0; looks < LOOKS; looks++) {
    const [next, keys] = (await redis.call("SCAN", cursor, "MATCH", pattern, "COUNT", AT_ONCE)) as [string, string[]];
    for (const key of keys) found.add(key);
    if (next === "0") return { keys: [...found].sort(), isWhole: true };
    cursor = next;
  }
  return { keys: [...found].sort(), isWhole: false };
}
