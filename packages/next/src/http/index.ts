import { type AddOptions, JobFailedError, timedOut, type WaitOptions } from "../options.js";
import type { JobEvent, JobName, JobRef, JobSource, JobStatus, Payload } from "../status.js";
import { isGone } from "./error.js";
import { events } from "./events.js";
import { checked, path, type WireRef } from "./jobs.js";
import { pause } from "./limit.js";
import { type ClientOptions, json, type Send, sender } from "./request.js";

export type { AddOptions, WaitOptions } from "../options.js";
export { JobFailedError } from "../options.js";
export { type Fault, PushmillError } from "./error.js";
export type { WireRef } from "./jobs.js";
export type { ClientOptions } from "./request.js";

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
}

const LONGEST_WAIT = 25; // seconds of one request, which the API sets
const SLACK = 15_000; // milliseconds

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
      return checked<WireRef>(
        await send("/queue/jobs", { body: { name, data, options: rest }, headers, signal }, json),
      );
    },
    submitBatch: async (jobs, { idempotencyKey, signal } = {}) => {
      const ask = { body: { jobs }, headers: keyed(idempotencyKey), signal };
      const { jobs: added } = await send("/queue/jobs/batch", ask, json);
      return [added].flat().map((each) => checked<WireRef>(Object(each)));
    },
    status: (job, { signal } = {}) => look(send, job, 0, signal),
    wait: (job, wait) => ended(send, job, wait),
    events: (job, { signal } = {}) => events(send, job, signal),
    retry: async (job, { signal } = {}) => {
      await send(path(job, "/retry"), { body: {}, signal, again: false }, json);
    },
  };
}

/** The header that makes a second try safe. A job with an id of its own needs none: the key would replace the id. */
function keyed(key?: string, jobId?: string): Record<string, string> {
  return jobId && !key ? {} : { "Idempotency-Key": key ?? crypto.randomUUID() };
}

async function look<Value>(send: Send, job: JobRef, wait: number, signal?: AbortSignal) {
  try {
    const ask = { signal, patience: wait * 1000 + SLACK };
    return checked<JobStatus<Value>>(await send(`${path(job)}&wait=${wait}`, ask, json));
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
}

async function ended<Value>(send: Send, job: JobRef, { timeout = 60_000, signal }: WaitOptions = {}) {
  const until = Date.now() + timeout;
  for (;;) {
    const left = Math.max(0, Math.ceil((until - Date.now()) / 1000));
    const seen = await look<Value>(send, job, Math.min(left, LONGEST_WAIT), signal);
    if (!seen) throw new JobFailedError(`job ${job.id} was removed`);
    const { state, result, reason } = seen;
    if (state === "completed") return result as Value;
    if (state === "failed") throw new JobFailedError(reason ?? state);
    if (!left) throw timedOut(`job ${job.id} is ${state} after ${timeout} ms`);
    await pause(250, signal); // a server that stops answers at once
  }
}
