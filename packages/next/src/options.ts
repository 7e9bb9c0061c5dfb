/** Options of a job, with the names and units of BullMQ's `queue.add`. The queue decides what is left out. */
export interface AddOptions {
  /** If a job of the queue has this id already, none is added. Letters, digits, `-` and `_`; no whole number. */
  jobId?: string;
  /** Milliseconds before the job may run. */
  delay?: number;
  /** How often the job may run. */
  attempts?: number;
  /** Milliseconds before the next attempt; `exponential` doubles them each time. `jitter` (0 to 1) is drawn at random. */
  backoff?: number | { type: "fixed" | "exponential"; delay?: number; jitter?: number };
  /** 1 to 2,097,151: 1 runs first. A job without a priority runs before all of them. See PRIORITY. */
  priority?: number;
  /** Adds the job at the front of its queue. Not with `delay` or `priority`. */
  lifo?: boolean;
  /** true: delete the job when it is done; false: keep it; a number: keep so many; `age` is in seconds. */
  removeOnComplete?: boolean | number | { age?: number; count?: number };
  /** The same for a job that failed for good. */
  removeOnFail?: boolean | number | { age?: number; count?: number };
  /**
   * `id`: not added until the earlier job with it has ended. `ttl` (milliseconds): not added for so long (throttle).
   * `ttl`, `extend` and `replace` with a `delay`: replaces the delayed job (debounce). `keepLastIfActive`, without
   * `ttl`: the last one added while the earlier job runs is added when that ends.
   */
  deduplication?: { id: string; ttl?: number; extend?: boolean; replace?: boolean; keepLastIfActive?: boolean };
}

/** How to wait for a job. */
export interface WaitOptions {
  /** Milliseconds; default 60,000. Then the wait ends with a TimeoutError, and the job goes on. */
  timeout?: number;
  signal?: AbortSignal;
}

/** A job that one waited for failed for good, or was removed. The message is the reason. */
export class JobFailedError extends Error {
  override name = "JobFailedError";
}

/** The error of a wait that took too long: what `AbortSignal.timeout` gives. */
export function timedOut(what: string): DOMException {
  return new DOMException(what, "TimeoutError");
}
