import { type Finding, ok, wrong } from "./finding.js";

/** What a worker process says of itself (queue_lib/observe/worker_stats.py). */
export interface Worker {
  name: string;
  /** "" for a worker that does not tell it. */
  version: string;
  queues: string[];
  features: string[];
  facts: Record<string, string>;
}

/** The worker of a heartbeat in Redis, or of the API's list; null for what is none. */
export function workerOf(value: unknown): Worker | null {
  const { name, version, queues, features, facts } = (value ?? {}) as Partial<Worker>;
  if (typeof name !== "string" || !Array.isArray(queues)) return null;
  return {
    name,
    version: typeof version === "string" ? version : "",
    queues: queues.map(String),
    features: Array.isArray(features) ? features.map(String) : [],
    facts: Object.fromEntries(Object.entries(facts ?? {}).map(([key, fact]) => [key, String(fact)])),
  };
}

/** What the workers say of one thing, each answer once. */
export function factsOf(workers: readonly Worker[], name: string): string[] {
  return [...new Set(workers.map(({ facts }) => facts[name]).filter((fact) => fact !== undefined))];
}

/** Whether web.py looks into the Redis that the app uses; null: one of them was not asked. */
export function sameRedis(own: readonly Worker[] | null, theirs: readonly Worker[] | null): Finding[] {
  if (!own || !theirs || own.length + theirs.length === 0) return [];
  if (own.some(({ name }) => theirs.some((other) => other.name === name))) return [];
  return [wrong("API", "web.py sees other workers than the app's Redis has: give both the same REDIS_URL and prefix")];
}

/** Whether workers run, and of a version that fits this package. */
export function workerFindings(workers: readonly Worker[], version: string): Finding[] {
  if (workers.length === 0) {
    const same = "with the same REDIS_URL and BULLMQ_PREFIX as the app";
    return [
      wrong(
        "Worker",
        `none has reported within a minute: start one (make worker APP=... or python worker.py), ${same}`,
      ),
    ];
  }
  const features = [...new Set(workers.flatMap((worker) => worker.features))].join(", ");
  const told = ok("Worker", `${count(workers.length)}, serving ${features || "no feature that it names"}`);
  return [told, ...[...new Set(workers.map((worker) => worker.version))].map((theirs) => fit(theirs, version))];
}

function fit(theirs: string, ours: string): Finding {
  if (minorOf(theirs) === minorOf(ours)) return ok("Version", `worker ${theirs}, package pushmill ${ours}`);
  return wrong("Version", `worker ${theirs || "of an older version"}, package pushmill ${ours}: update the older one`);
}

/** Versions that differ only in the last number fit. */
const minorOf = (version: string) => version.split(".").slice(0, 2).join(".");

const count = (number: number) => (number === 1 ? "1 process" : `${number} processes`);
