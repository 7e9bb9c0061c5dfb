/** A signal that ends with another one, or by itself after some time. */
export interface Limit {
  signal: AbortSignal;
  /** The time begins anew. */
  renew(): void;
  /** Nothing ends any more. */
  clear(): void;
}

/** Not AbortSignal.any and AbortSignal.timeout: not every edge runtime has both. */
export function limited(milliseconds: number, outer?: AbortSignal): Limit {
  const aborter = new AbortController();
  let timer: ReturnType<typeof setTimeout>;
  const abort = () => aborter.abort(outer?.reason);
  const renew = () => {
    clearTimeout(timer);
    timer = setTimeout(abort, milliseconds);
  };
  const clear = () => {
    clearTimeout(timer);
    outer?.removeEventListener("abort", abort);
  };
  outer?.throwIfAborted();
  outer?.addEventListener("abort", abort);
  renew();
  return { signal: aborter.signal, renew, clear };
}

/** Waits; rejects with the signal's reason once that is aborted. */
export async function pause(milliseconds: number, outer?: AbortSignal): Promise<void> {
  const { signal, clear } = limited(milliseconds, outer);
  await new Promise((resolve) => signal.addEventListener("abort", resolve));
  clear();
  outer?.throwIfAborted();
}
