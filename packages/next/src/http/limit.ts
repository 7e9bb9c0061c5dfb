const LONGEST_PAUSE = 30; // seconds

/** A signal that ends with another one, or by itself after some time. */
export interface Limit {
  signal: AbortSignal;
  /** The time begins anew. */
  renew(): void;
  /** Ends what the signal is for. */
  end(): void;
}

/** Not AbortSignal.any and AbortSignal.timeout: their time can't begin anew. */
export function limited(milliseconds: number, outer?: AbortSignal): Limit {
  const aborter = new AbortController();
  let timer: ReturnType<typeof setTimeout>;
  const end = () => {
    clearTimeout(timer);
    outer?.removeEventListener("abort", end);
    aborter.abort(outer?.reason);
  };
  const renew = () => {
    clearTimeout(timer);
    timer = setTimeout(end, milliseconds);
  };
  outer?.throwIfAborted();
  outer?.addEventListener("abort", end);
  renew();
  return { signal: aborter.signal, renew, end };
}

/** Waits after so many failures in a row; rejects with the signal's reason once that is aborted. */
export async function pause(failures: number, outer?: AbortSignal, seconds = 2 ** failures / 4): Promise<void> {
  const limit = limited(Math.min(seconds, LONGEST_PAUSE) * 1000, outer);
  await new Promise((resolve) => limit.signal.addEventListener("abort", resolve));
  outer?.throwIfAborted();
}
