import type { JobRef } from "../status.js";
import { FOREIGN, PushmillError } from "./error.js";

/** A job of the API: `wire` is "bullmq" or "rq". */
export interface WireRef extends JobRef {
  wire: string;
}

/** The path of a job. */
export function path({ id, queue, wire }: JobRef & { wire?: string }, more = ""): string {
  return `/queue/jobs/${encodeURIComponent(id)}${more}?${new URLSearchParams({ queue, ...(wire && { wire }) })}`;
}

/** A job as the API shows it, or where it is. The API's further fields stay. */
export function checked<Job extends JobRef>(answer: unknown): Job {
  const job = Object(answer);
  if (job.id && job.queue) return job;
  throw new PushmillError(200, FOREIGN);
}
