import type { JobState } from "../status.js";

export interface JobView<Value = unknown> {
  /** "loading": not known yet; "gone": the job was removed; "error": the route refuses, or can't be reached. */
  status: JobState | "loading" | "gone" | "error";
  /** As the job reports it: 0 to 100 for jobs of the worker. */
  progress: unknown;
  /** Of a completed job. */
  result: Value | null;
  /** Of a failed job: one readable line. */
  reason: string | null;
}

export const LOADING: JobView<never> = { status: "loading", progress: 0, result: null, reason: null };
const ENDS = ["completed", "failed", "gone"];
const PAUSES = [1000, 2000, 4000, 8000, 16_000, 30_000]; // milliseconds; a route that never told anything gets three
const SHORT = 30_000; // milliseconds; a route that has no news is silent for longer

/** Follows the job at `url` while somebody listens; null: nothing. */
export function jobStore<Value>(url: string | null) {
  const listeners = new Set<() => void>();
  let view: JobView<Value> = LOADING;
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout>;
  let failures = 0;
  let silentSince: number | undefined; // when the route answered, until its first event
  let ended = false;

  const show = (next: Partial<JobView<Value>>) => {
    view = { ...view, ...next };
    for (const listener of listeners) listener();
  };

  const close = () => {
    clearTimeout(timer);
    source?.close();
    source = undefined;
    silentSince = undefined;
  };

  const told = ({ type, data }: MessageEvent<string>) => {
    failures = 0;
    silentSince = undefined;
    ended = ENDS.includes(type);
    if (ended) close();
    const { state, progress, result = null, reason = null } = parsed(data);
    show({
      status: type === "gone" ? type : (state ?? view.status),
      progress: progress ?? view.progress,
      result,
      reason,
    });
  };

  /**
   * The browser reconnects by itself after a lost connection, but never after an answer such as 503. After an answer
   * that ended at once, without an event, it would do so every second for ever.
   */
  const lost = () => {
    const isEmpty = silentSince !== undefined && Date.now() - silentSince < SHORT;
    silentSince = undefined;
    if (source?.readyState !== EventSource.CLOSED && !isEmpty) return;
    close();
    const pause = PAUSES[failures++];
    if (pause === undefined || (view === LOADING && failures > 3)) show({ status: "error" });
    else timer = setTimeout(open, pause);
  };

  const open = () => {
    if (!url || ended || typeof EventSource === "undefined") return;
    source = new EventSource(url);
    for (const type of ["progress", ...ENDS]) source.addEventListener(type, told);
    source.onopen = () => {
      silentSince = Date.now();
    };
    source.onerror = lost;
  };

  return {
    view: () => view,
    listen(listener: () => void) {
      listeners.add(listener);
      if (listeners.size === 1) open();
      return () => {
        listeners.delete(listener);
        if (!listeners.size) close();
      };
    },
  };
}

function parsed(data: string) {
  try {
    return Object(JSON.parse(data));
  } catch {
    return {};
  }
}
