import type { JobEvent, JobRef, JobStatus } from "../status.js";
import { isGone, PushmillError, parsed } from "./error.js";
import { checked, event, path } from "./jobs.js";
import { pause } from "./limit.js";
import type { Send } from "./request.js";
import { serverSent } from "./server-sent.js";

const SILENCE = 45_000; // milliseconds; the API sends a comment every 15 seconds
const LONGEST_PAUSE = 30_000;
const LIVED = 10_000; // an answer that lasted so long was no failure
const MOST_FAILURES = 8; // in a row

/** What one answer leaves for the next one. */
interface Seen {
  id: string;
  failures: number;
}

/**
 * A job's events until it has ended. An answer ends after five minutes, or with the network. Then the API is asked for
 * what is newer than the last event, after a pause of one second, which doubles up to 30 while nothing comes.
 */
export async function* events<Value>(
  send: Send,
  job: JobRef,
  signal?: AbortSignal,
): AsyncGenerator<JobEvent<Value>, void> {
  const seen = { id: "", failures: 0 };
  while (!signal?.aborted) {
    const began = Date.now();
    let failure = new PushmillError(0, "the events of the job break off");
    try {
      if (yield* answer<Value>(send, job, seen, signal)) return;
    } catch (error) {
      if (signal?.aborted) return;
      if (isGone(error)) return yield { type: "gone", job };
      if (!(error instanceof PushmillError) || (error.status >= 400 && error.status < 429)) throw error;
      failure = error;
    }
    if (Date.now() - began > LIVED) seen.failures = 0;
    else if (seen.failures++ === MOST_FAILURES) throw failure;
    await pause(Math.min(500 * 2 ** seen.failures, LONGEST_PAUSE), signal).catch(() => {});
  }
}

/** The events of one answer; returns whether the job has ended. */
async function* answer<Value>(
  send: Send,
  job: JobRef,
  seen: Seen,
  signal?: AbortSignal,
): AsyncGenerator<JobEvent<Value>, boolean> {
  const ask = { headers: { "Last-Event-ID": seen.id }, signal, patience: SILENCE, again: false };
  const { response, limit } = await send(path(job, "/events"), ask, async (answered) => answered);
  try {
    if (!response.body) return true; // 204: it has ended, and its last event was the end
    for await (const { event: type, data, id } of serverSent(response.body, limit.renew)) {
      seen.failures = 0;
      const news: JobEvent<Value> =
        type === "gone" ? { type, job } : event(checked<JobStatus<Value>>(parsed(data, 200)));
      seen.id = id;
      yield news;
      if (news.type !== "progress") return true;
    }
  } catch (error) {
    if (error instanceof PushmillError) throw error;
  } finally {
    limit.clear();
  }
  return false; // the answer ended, or the network broke it off
}
