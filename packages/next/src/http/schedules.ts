import type { JobName, Payload } from "../status.js";
import { FOREIGN, isGone, PushmillError } from "./error.js";
import { type ClientOptions, sender } from "./request.js";

/** A job that is added again and again: by `cron` in the time zone `tz` (default UTC), or `every` so many milliseconds. */
export type Schedule = {
  [Name in JobName]: { name: Name; data: Payload<Name> } & ({ cron: string; tz?: string } | { every: number });
}[JobName];

/** A schedule's queue is that of its job. */
export interface ScheduleRef {
  id: string;
  queue: string;
}

/** What can be done to schedules. All of it rejects with PushmillError, or with the reason of the signal. */
export interface Schedules {
  /** Adds a schedule, or replaces the one with its id. */
  set(id: string, schedule: Schedule, options?: { signal?: AbortSignal }): Promise<ScheduleRef>;
  /** Deletes a schedule and the job that was to come, if it is there. */
  remove(schedule: ScheduleRef, options?: { signal?: AbortSignal }): Promise<void>;
}

/** The schedules of the API, as `createClient` has its jobs. */
export function createSchedules(options: ClientOptions): Schedules {
  // The client's own requests have two methods, and its size is bounded.
  const sending = (method: string) =>
    sender({ ...options, fetch: (url, init) => (options.fetch ?? fetch)(url, { ...init, method }) });
  const [put, drop] = [sending("PUT"), sending("DELETE")];
  return {
    set: async (id, schedule, ask) => {
      const { queue } = await put(path(id), { ...ask, body: schedule });
      if (typeof queue === "string") return { id, queue };
      throw new PushmillError(200, FOREIGN);
    },
    remove: async ({ id, queue }, ask) => {
      try {
        await drop(`${path(id)}?${new URLSearchParams({ queue })}`, { ...ask });
      } catch (error) {
        if (!isGone(error)) throw error;
      }
    },
  };
}

function path(id: string): string {
  return `/queue/schedules/${encodeURIComponent(id)}`;
}
