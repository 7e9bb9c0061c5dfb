const HEARTBEAT = 15_000; // milliseconds: proxies cut answers that are silent for a minute
const LIFETIME = 300_000; // the browser comes back, and its session is looked at again
const RETRY = 1000; // milliseconds after which the browser comes back
const HEADERS = {
  "Content-Type": "text/event-stream",
  "Cache-Control": "no-store, no-transform", // a proxy, and Next.js itself, would compress and so hold it back
  "X-Accel-Buffering": "no",
};

/** Writes to the stream, unless it is over. */
export type Send = (text: string) => void;

/** Server-sent events until `run` is over, the browser is gone, or five minutes have passed. `run` must not throw. */
export function eventStream(gone: AbortSignal, run: (send: Send, signal: AbortSignal) => Promise<void>): Response {
  const aborter = new AbortController();
  const stop = () => aborter.abort();
  const encoder = new TextEncoder();
  const lifetime = setTimeout(stop, LIFETIME);
  let heartbeat: ReturnType<typeof setInterval>;
  let cancelled = false;

  const end = () => {
    clearTimeout(lifetime);
    clearInterval(heartbeat);
    gone.removeEventListener("abort", stop);
  };
  const start = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
    const send: Send = (text) => aborter.signal.aborted || controller.enqueue(encoder.encode(text));
    send(`retry: ${RETRY}\n\n`);
    heartbeat = setInterval(() => send(": no news\n\n"), HEARTBEAT);
    await run(send, aborter.signal);
    end();
    if (!cancelled) controller.close();
  };
  if (gone.aborted) stop();
  gone.addEventListener("abort", stop);
  const stream = new ReadableStream({
    start: (controller) => {
      void start(controller);
    },
    cancel: () => {
      cancelled = true;
      stop();
      end();
    },
  });
  return new Response(stream, { headers: HEADERS });
}
