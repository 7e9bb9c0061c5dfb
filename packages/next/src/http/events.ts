import type { JobEvent, JobRef } from "../status.js";
import { isGone, PushmillError, parsed } from "./error.js";
import { checked, path } from "./jobs.js";
import { pause } from "./limit.js";
import type { Send } from "./request.js";
import { serverSent } from "./server-sent.js";

const LIVED = 10_000; // milliseconds; an answer that lasted so long was no failure
const TRIES = 9;

/**
 * A job's events until it has ended. An answer ends after five minutes, or with the network. Then the API is asked for
 * what is newer than the last event, after half a second, which doubles up to 30 seconds while nothing comes.
 */
export async function* events<Value>(
  send: Send,
  job: JobRef,
  signal?: AbortSignal,
): AsyncGenerator<JobEvent<Value>, void> {
  let last = "";
  let failures = 0; // answers in a row that ended soon and had no event
  try {
    for (;;) {
      const began = Date.now();
      const ask = { headers: { "Last-Event-ID": last }, signal, tries: last ? TRIES : 3 };
      const [body, limit] = await send(path(job, "/events"), ask, ({ body }, limit) => [body, limit] as const);
      try {
        if (!body) return; // 204: it has ended, and its last event was the end
        for await (const [, id = "", type, data = ""] of serverSent(body, limit.renew)) {
          const news = { type, job: type === "gone" ? job : checked(parsed(data)) } as JobEvent<Value>;
          failures = 0;
          last = id;
          yield news;
          if (type !== "progress") return;
        }
      } catch (error) {
        if (error instanceof PushmillError) throw error; // else the network broke it off
      } finally {
        limit.end();
      }
      failures = Date.now() - began > LIVED ? 0 : failures + 1;
      if (failures === TRIES) throw new PushmillError(0, "events break off");
      await pause(failures, signal);
    }
  } catch (error) {
    if (signal?.aborted) return;
    if (!isGone(error)) throw error;
    yield { type: "gone", job };
  }
}
