import type { Jobs } from "./jobs.js";

export type JobName = keyof Jobs & string;
export type QueueName = Jobs[JobName]["queue"];
export type Payload<Name extends JobName> = Jobs[Name]["payload"];
export type Result<Name extends JobName> = Jobs[Name]["result"];

/** Which job is meant: bullmq numbers jobs in each queue, so an id alone names several. */
export interface JobRef {
  id: string;
  queue: string;
}

export type JobState = "waiting" | "delayed" | "active" | "completed" | "failed" | "waiting-children" | "unknown";

/** What became of a job so far. */
export interface JobStatus<Value = unknown> extends JobRef {
  name: string;
  state: JobState;
  /** As the job reports it; jobs of the worker report 0 to 100. */
  progress: unknown;
  /** The payload. */
  data: unknown;
  /** Of a completed job. */
  result?: Value;
  /** Of a failed job: one readable line. */
  reason?: string;
}

/** `gone`: the job was removed. After `completed`, `failed` and `gone` no more events come. */
export type JobEvent<Value = unknown> =
  | { type: "progress" | "completed" | "failed"; job: JobStatus<Value> }
  | { type: "gone"; job: JobRef };

/** Where the routes of `pushmill/next` look jobs up: a QueueService, or the client of `pushmill/http`. */
export interface JobSource {
  /** null: there is no such job. */
  status(job: JobRef): Promise<JobStatus | null>;
  events(job: JobRef, options?: { signal?: AbortSignal }): AsyncIterable<JobEvent>;
}

/** Where live messages come from: a QueueService. */
export interface MessageSource {
  /** Hears a channel; null: the connection is lost, and nothing more comes. Resolves to what ends it. */
  listen(channel: string, hear: (message: string | null) => void): Promise<() => void>;
}

/**
 * Names for `options.priority`. In bullmq 1 comes first; a job without a priority comes before all jobs that have one.
 */
export const PRIORITY = { urgent: 1, high: 5, normal: 10, low: 20 } as const;
