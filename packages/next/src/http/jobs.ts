import type { JobEvent, JobRef, JobStatus } from "../status.js";
import { foreign } from "./error.js";

/** A job of the API: `wire` is "bullmq" or "rq". */
export interface WireRef extends JobRef {
  wire: string;
}

/** The path of a job. */
export function path({ id, queue, wire }: JobRef & { wire?: string }, more = ""): string {
  return `/queue/jobs/${encodeURIComponent(id)}${more}?${new URLSearchParams({ queue, ...(wire && { wire }) })}`;
}

/** A job as the API shows it, or where it is. The API's further fields stay. */
export function checked<Job extends JobRef>(answer: object): Job {
  const job = answer as Job;
  if (job.id && job.queue) return job;
  throw foreign(200);
}

/** The event that a job's state is. */
export function event<Value>(job: JobStatus<Value>): JobEvent<Value> {
  const { state } = job;
  return { type: state === "completed" || state === "failed" ? state : "progress", job };
}
