import { type Jobs, QUEUE_OF } from "./jobs.js";
import type { JobName } from "./status.js";

/** The queues of a team's own jobs: `OWN_QUEUES` of the file that `python -m scripts.typescript_types` prints. */
export type OwnQueues = { readonly [Name in Exclude<JobName, keyof typeof QUEUE_OF>]: Jobs[Name]["queue"] };

/** The queue of a job, of the worker's or of the team's `own`. Throws a TypeError for a job of neither. */
export function queueOf(name: string, own: Readonly<Record<string, string>> = {}): string {
  const queues: Readonly<Record<string, string>> = Object.hasOwn(own, name) ? own : QUEUE_OF;
  const queue = Object.hasOwn(queues, name) ? queues[name] : undefined;
  if (queue === undefined) {
    throw new TypeError(`no queue is known for the job ${JSON.stringify(name)}; give OWN_QUEUES as \`queues\``);
  }
  return queue;
}
