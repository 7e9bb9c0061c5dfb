import { JobFailedError, timedOut, type WaitOptions } from "../options.js";
import type { JobEvent, JobRef, JobStatus } from "../status.js";
import type { Followed } from "./follow.js";
import { type Ending, eventOf, lastEvent } from "./status.js";

/** Looks at a job as it is; null: there is none. */
export type Look<Value> = () => Promise<JobStatus<Value> | null>;
type Events<Value> = AsyncGenerator<JobEvent<Value>, void>;

const FIRST_LOOK = 250; // milliseconds until a followed job is looked at again; the pause doubles
const LAST_LOOK = 5000;

/** The job as it is, then each change until it has ended or the signal ends it. Stops following at the end. */
export async function* changes<Value>(
  ref: JobRef,
  followed: Followed,
  status: Look<Value>,
  signal?: AbortSignal,
): Events<Value> {
  let [last, seen, pause] = ["", null as JobStatus<Value> | null, FIRST_LOOK];
  try {
    for (let ending: Ending | undefined; !signal?.aborted; ending = await followed.news(pause, signal)) {
      const now = await status();
      // bullmq may tell of the end after it has removed the job.
      for (let tries = 0; !now && seen && !ending && tries < 4; tries++)
        ending = await followed.news(FIRST_LOOK, signal);
      if (!now) return yield lastEvent(ref, seen, ending);
      const event = eventOf(now);
      const facts = JSON.stringify([now.state, now.progress]);
      pause = facts === last ? Math.min(2 * pause, LAST_LOOK) : FIRST_LOOK;
      if (facts !== last) yield event;
      if (event.type !== "progress") return;
      [last, seen] = [facts, now];
    }
  } finally {
    followed.stop();
  }
}

/** The result of the job whose `events` these are. Throws JobFailedError, a TimeoutError or the signal's reason. */
export async function result<Value>(
  id: string,
  events: (signal: AbortSignal) => Events<Value>,
  { timeout = 60_000, signal }: WaitOptions,
): Promise<Value> {
  const aborter = new AbortController();
  const stop = () => aborter.abort();
  const timer = setTimeout(stop, timeout);
  signal?.addEventListener("abort", stop, { once: true });
  try {
    signal?.throwIfAborted();
    for await (const event of events(aborter.signal)) {
      if (event.type === "completed") return event.job.result as Value;
      if (event.type === "failed") throw new JobFailedError(event.job.reason);
      if (event.type === "gone") throw new JobFailedError(`job ${id} was removed`);
    }
    signal?.throwIfAborted();
    throw timedOut(`job ${id} has not ended in ${timeout} ms`);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}
