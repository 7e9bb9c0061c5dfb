import { useMemo, useSyncExternalStore } from "react";
import { type JobView, jobStore, LOADING } from "./job-store.js";

/**
 * Follows a job by the route of `jobRoute`, until it has ended: `useJob(job && "/api/jobs/" + job.queue + "/" + job.id)`.
 * Without a URL it stays "loading". It goes on over lost connections, and closes its own when the component goes.
 */
export function useJob<Value = unknown>(url: string | null | undefined): JobView<Value> {
  const store = useMemo(() => jobStore<Value>(url || null), [url]);
  return useSyncExternalStore(store.listen, store.view, () => LOADING);
}
