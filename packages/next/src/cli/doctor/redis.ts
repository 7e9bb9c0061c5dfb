import { CliError } from "../command.js";
import { redisUrlOf } from "../redis-url.js";
import { type Finding, ok, unknown, wrong } from "./finding.js";
import type { Folder } from "./folder.js";
import { type QueueInRedis, queuesIn } from "./queues-in-redis.js";
import { connect, type Redis, RedisError } from "./redis-connection.js";
import { scan } from "./scan.js";
import { type Worker, workerOf } from "./workers.js";

const OLDEST = [6, 2];
const MOST_WORKERS = 500;

/** What Redis says; `workers` and `queues` are null if it was not asked, or has not answered. */
export interface RedisReport {
  findings: Finding[];
  workers: Worker[] | null;
  queues: QueueInRedis[] | null;
}

/** The URL with which the app connects; undefined: it uses the API alone. */
export function redisUrl({ env }: Folder): string | undefined {
  return redisUrlOf((name) => env.get(name));
}

/** Whether the app's Redis can be used for queues, and what is in it. */
export async function lookIntoRedis(app: Folder): Promise<RedisReport> {
  const report = (finding: Finding) => ({ findings: [finding], workers: null, queues: null });
  const url = redisUrl(app);
  if (!url && app.env.get("PUSHMILL_URL"))
    return report(unknown("Redis", "REDIS_URL is not set: the app uses the API"));
  if (!url)
    return report(wrong("Redis", "REDIS_URL is not set: set it to the worker's Redis, or PUSHMILL_URL to web.py"));
  const where = URL.canParse(url) ? new URL(url).host : "";
  if (!where) return report(wrong("Redis", "REDIS_URL is not a URL such as redis://127.0.0.1:6379"));
  try {
    const redis = await connect(app, url);
    try {
      return await look(redis, where, app.env.get("BULLMQ_PREFIX") ?? "bull");
    } finally {
      redis.disconnect();
    }
  } catch (error) {
    const reason =
      error instanceof RedisError || error instanceof CliError
        ? error.message
        : `an answer was not understood (${(error as Error).message})`;
    return report(wrong("Redis", `${where}: ${reason}`));
  }
}

async function look(redis: Redis, where: string, prefix: string): Promise<RedisReport> {
  const workers = await workersIn(redis, prefix);
  const findings = [...serverFindings(String(await redis.call("INFO")), where)];
  if (workers.length === 0) findings.push(...(await otherPrefixes(redis, prefix)));
  return { findings, workers, queues: await queuesIn(redis, prefix) };
}

function serverFindings(info: string, where: string): Finding[] {
  const value = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(info)?.[1] ?? "";
  const valkey = value("valkey_version");
  const version = valkey ? `Valkey ${valkey}` : `Redis ${value("redis_version")}`;
  const [major = 0, minor = 0] = value("redis_version").split(".").map(Number);
  const policy = value("maxmemory_policy");
  const faults: Finding[] = [];
  if (major < (OLDEST[0] ?? 0) || (major === OLDEST[0] && minor < (OLDEST[1] ?? 0))) {
    faults.push(wrong("Redis", `${where} is ${version}: Pushmill needs ${OLDEST.join(".")} or newer`));
  }
  if (policy && policy !== "noeviction") {
    faults.push(wrong("Redis", `${where} may drop jobs (maxmemory-policy ${policy}): set it to noeviction`));
  }
  if (value("role") === "slave")
    faults.push(wrong("Redis", `${where} is a replica, which takes no jobs: name its primary`));
  return faults.length > 0 ? faults : [ok("Redis", `${version} at ${where}${policy ? ", noeviction" : ""}`)];
}

/** Those that have reported within a minute (queue_lib/broker/heartbeats.py). */
async function workersIn(redis: Redis, prefix: string): Promise<Worker[]> {
  const names = (await redis.call("ZREVRANGE", `${prefix}:pulse:workers`, 0, MOST_WORKERS - 1)) as string[];
  if (names.length === 0) return [];
  const told = (await redis.call("MGET", ...names.map((name) => `${prefix}:pulse:worker:${name}`))) as (
    | string
    | null
  )[];
  return told.map((text) => workerOf(parsed(text))).filter((worker) => worker !== null);
}

function parsed(text: string | null): unknown {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return null;
  }
}

/** Workers of another prefix never see this app's jobs. */
async function otherPrefixes(redis: Redis, prefix: string): Promise<Finding[]> {
  const { keys } = await scan(redis, "*:pulse:workers");
  const others = keys.map((key) => key.slice(0, -":pulse:workers".length)).filter((other) => other !== prefix);
  return others.map((other) =>
    wrong(
      "Prefix",
      `workers use the prefix ${other}, the app ${prefix}: set BULLMQ_PREFIX for both, and prefix in queueService`,
    ),
  );
}
