import type { Job, Queue } from "bullmq";
import type { JobEvent, JobRef, JobState, JobStatus } from "../status.js";
import { isNoJob } from "./options.js";

const STATES = new Set<string>(["waiting", "delayed", "active", "completed", "failed", "waiting-children"]);

/** A job as it is; null: there is none. The state is asked first, so that a completed job has its result. */
export async function look<Value>(queue: Queue, id: string): Promise<JobStatus<Value> | null> {
  if (isNoJob(id)) return null;
  const state = await queue.getJobState(id);
  const job = await queue.getJob(id);
  return job?.name === undefined ? null : told(job, state);
}

/** A job of bullmq in this state. */
export function told<Value>({ id = "", name, queueName, ...job }: Job, state: string): JobStatus<Value> {
  const known = state === "prioritized" ? "waiting" : STATES.has(state) ? (state as JobState) : "unknown";
  const seen = { id, queue: queueName, name, state: known, progress: job.progress, data: job.data };
  if (known === "completed") return { ...seen, result: job.returnvalue };
  return known === "failed" ? { ...seen, reason: job.failedReason ?? "failed" } : seen;
}

/** The event that a job's state is. */
export function eventOf<Value>(job: JobStatus<Value>): JobEvent<Value> {
  const { state } = job;
  return { type: state === "completed" || state === "failed" ? state : "progress", job };
}

/** How a job ended, as bullmq told it. */
export type Ending = { type: "completed"; result: unknown } | { type: "failed"; reason: string } | { type: "gone" };

/** The last event of a job that is not there any more: bullmq removes some at their end (`removeOnComplete: true`). */
export function lastEvent<Value>(ref: JobRef, seen: JobStatus<Value> | null, ending?: Ending): JobEvent<Value> {
  if (!seen || !ending || ending.type === "gone") return { type: "gone", job: ref };
  const { type, ...end } = ending;
  return { type, job: { ...seen, state: type, ...end } as JobStatus<Value> };
}
