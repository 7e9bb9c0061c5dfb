import { type Finding, ok, unknown, wrong } from "./finding.js";
import type { Folder } from "./folder.js";
import type { QueueInRedis } from "./queues-in-redis.js";
import type { Worker } from "./workers.js";

/**
 * The variable with which the app wants a queue, and those with which the worker serves it. An app's SEARCH_URL may be
 * that of a search of its own: the queue is wanted once it has jobs.
 */
const NEEDS: Record<string, { app?: string; worker: string }> = {
  "push-notifications": {
    app: "NEXT_PUBLIC_VAPID_PUBLIC_KEY",
    worker: "VAPID_PRIVATE_KEY and the other VAPID variables",
  },
  "file-processing": { app: "STORAGE_URL", worker: "STORAGE_URL" },
  notifications: { app: "NOTIFICATION_TABLE", worker: "NOTIFICATION_TABLE" },
  search: { worker: "SEARCH_URL and DATABASE_URL" },
};

/** Whether each queue that has jobs, or will have them, is served. `queues` is null where only the API was asked. */
export function queueFindings(app: Folder, workers: readonly Worker[], queues: QueueInRedis[] | null): Finding[] {
  if (workers.length === 0) return [];
  const served = [...new Set(workers.flatMap((worker) => worker.queues))].sort();
  const found = new Map((queues ?? []).map((queue) => [queue.name, queue]));
  const needed = expected(app);
  const names = new Set([...served, ...needed, ...found.keys()]);
  return [...names]
    .map((name) => findingOf(name, served, needed.includes(name), found.get(name)))
    .concat(majors(app, queues ?? []));
}

/** The queues of what the app has set up. */
function expected({ env }: Folder): string[] {
  return Object.keys(NEEDS).filter((queue) => env.get(NEEDS[queue]?.app ?? ""));
}

function findingOf(name: string, served: string[], isNeeded: boolean, queue: QueueInRedis | undefined): Finding {
  const about = `Queue ${name.slice(0, 100)}`;
  if (served.includes(name)) return ok(about, "served");
  if (isNeeded) return wrong(about, missing(name));
  const others = `workers serve ${served.join(", ") || "none"}`;
  if (!queue?.waiting) return unknown(about, `no worker serves it, and no job waits (${others})`);
  const waiting = queue.waiting === 1 ? "1 job waits" : `${queue.waiting} jobs wait`;
  if (NEEDS[name]) return wrong(about, `${waiting}, and ${missing(name)}`);
  return wrong(about, `${waiting} and no worker serves it (${others}): is its name right, and in QUEUES?`);
}

function missing(name: string): string {
  const variables = NEEDS[name]?.worker;
  return `no worker serves it: set ${variables} for the worker, and leave QUEUES out or name it there`;
}

/** Two majors of bullmq on one queue lose jobs (docs/next.js.md, "Versions"). */
function majors(app: Folder, queues: readonly QueueInRedis[]): Finding[] {
  const own = Number(app.versionOf("bullmq")?.split(".")[0] ?? Number.NaN);
  const others = queues.filter(({ major }) => major !== null && major !== own);
  if (Number.isNaN(own) || others.length === 0) return [];
  const names = others.map(({ name, major }) => `${name} (bullmq ${major})`).join(", ");
  return [
    wrong("bullmq", `the app has ${own}, and another one opened ${names} last: use one major version everywhere`),
  ];
}
