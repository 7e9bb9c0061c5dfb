import { type AddOptions, JobFailedError, timedOut, type WaitOptions } from "../options.js";
import type { JobEvent, JobName, JobRef, JobSource, JobStatus, Payload } from "../status.js";
import { isGone } from "./error.js";
import { events } from "./events.js";
import { checked, path, type WireRef } from "./jobs.js";
import { limited } from "./limit.js";
import { type ClientOptions, type Send, sender } from "./request.js";

export type { AddOptions, WaitOptions } from "../options.js";
export { JobFailedError } from "../options.js";
export { type Fault, PushmillError } from "./error.js";
export type { WireRef } from "./jobs.js";
export type { ClientOptions } from "./request.js";
export { createSchedules, type Schedule, type ScheduleRef, type Schedules } from "./schedules.js";

/** The options of a job, and how it is submitted. */
export interface SubmitOptions extends Omit<AddOptions, "priority"> {
  /** On `rq`: "high" or "low". */
  priority?: number | "high" | "low";
  /** Default "bullmq". */
  wire?: "bullmq" | "rq";
  /**
   * With the same key only one job is made, however often it is submitted. Default: a new key for each call, so that
   * the tries of one call make one job.
   */
  idempotencyKey?: string;
  signal?: AbortSignal;
}

/** A job of a batch. */
export type Submission = {
  [Name in JobName]: { name: Name; data: Payload<Name>; options?: Omit<SubmitOptions, "idempotencyKey" | "signal"> };
}[JobName];

/** What a client of the API does. All of it rejects with PushmillError, or with the reason of the signal. */
export interface Client extends JobSource {
  /** Enqueues a job. */
  submit<Name extends JobName>(name: Name, data: Payload<Name>, options?: SubmitOptions): Promise<WireRef>;
  /** Enqueues up to 1,000 jobs: all of them, or none if one is invalid (`errors` names each). */
  submitBatch(jobs: Submission[], options?: Pick<SubmitOptions, "idempotencyKey" | "signal">): Promise<WireRef[]>;
  /** A job as it is; null: there is none (any more). */
  status<Value = unknown>(job: JobRef, options?: { signal?: AbortSignal }): Promise<JobStatus<Value> | null>;
  /** Waits for a job's result. Rejects with JobFailedError if it failed or was removed, and with a TimeoutError. */
  wait<Value = unknown>(job: JobRef, options?: WaitOptions): Promise<Value>;
  /** Follows a job until it has ended, over lost connections. The events have no payload. The signal ends it, too. */
  events<Value = unknown>(job: JobRef, options?: { signal?: AbortSignal }): AsyncIterable<JobEvent<Value>>;
  /** Runs a failed job again from its first attempt. */
  retry(job: JobRef, options?: { signal?: AbortSignal }): Promise<void>;
  /**
   * Takes back all jobs with this cancelKey that were added until now. `seconds` is how long such a job may wait: one
   * day by default, 28 at most.
   */
  cancel(cancelKey: string | number, options?: { seconds?: number; signal?: AbortSignal }): Promise<void>;
}

/**
 * A client of the API (`web.py`) for Node, Edge, Workers and Bun: it needs `fetch` alone. It asks nothing before its
 * first call, which throws a TypeError for a missing url or token.
 *
 *     const queue = createClient({ url: process.env.PUSHMILL_URL, token: process.env.PUSHMILL_TOKEN });
 */
export function createClient(options: ClientOptions): Client {
  const send = sender(options);
  return {
    submit: async (name, data, { idempotencyKey, signal, ...rest } = {}) => {
      const headers = keyed(idempotencyKey, rest.jobId);
      return checked(await send("/queue/jobs", { body: { name, data, options: rest }, headers, signal }));
    },
    submitBatch: async (jobs, options) => {
      const ask = { ...options, body: { jobs }, headers: keyed(options?.idempotencyKey) };
      return [(await send("/queue/jobs/batch", ask)).jobs].flat().map(checked<WireRef>);
    },
    status: async (job, options = {}) => {
      try {
        return checked(await send(path(job), options));
      } catch (error) {
        if (isGone(error)) return null;
        throw error;
      }
    },
    wait: (job, wait) => ended(send, job, wait),
    events: (job, options) => events(send, job, options?.signal),
    retry: async (job, options) => {
      await send(path(job, "/retry"), { ...options, body: {}, tries: 1 });
    },
    cancel: async (cancelKey, options) => {
      await send("/queue/cancel", { ...options, body: { cancelKey, seconds: options?.seconds } });
    },
  };
}

/** The header that makes a second try safe. A job with an id of its own needs none: the key would replace the id. */
function keyed(key?: string, jobId?: string): Record<string, string> {
  return jobId && !key ? {} : { "Idempotency-Key": key ?? crypto.randomUUID() };
}

async function ended<Value>(send: Send, job: JobRef, { timeout = 60_000, signal }: WaitOptions = {}) {
  const limit = limited(timeout, signal);
  try {
    for await (const { type, job: seen } of events<Value>(send, job, limit.signal)) {
      const { result, reason = `job ${job.id} was removed` } = seen as JobStatus<Value>;
      if (type === "completed") return result as Value;
      if (type !== "progress") throw new JobFailedError(reason);
    }
  } finally {
    limit.end();
  }
  signal?.throwIfAborted();
  throw timedOut(`job ${job.id} has not ended after ${timeout} ms`);
}
