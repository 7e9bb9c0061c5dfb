import { PushmillError } from "./error.js";

/** One server-sent event; `id` is the last one that the stream has named. */
export interface ServerSent {
  id: string;
  event: string;
  data: string;
}

const LONGEST = 2 ** 24; // characters of one event; the API's own limit of a payload is 4 MiB

/**
 * Reads server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) from a body. Comments and
 * `retry` are skipped, and an event that the end of the stream cut is dropped. `alive` is called with each piece of it.
 */
export async function* serverSent(body: ReadableStream<Uint8Array>, alive: () => void): AsyncGenerator<ServerSent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let seen: Record<string, string> = {};
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      alive();
      // A line may end with CR LF: a CR at the end of a piece waits for the next piece.
      const lines = (rest + decoder.decode(value, { stream: true })).split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const [, name = "", text = ""] = /^([^:]*):? ?(.*)/s.exec(line) ?? [];
        const { id = "", event = "", data } = seen;
        if (line) seen[name] = name === "data" && data !== undefined ? `${data}\n${text}` : text;
        else {
          if (data) yield { id, event, data };
          seen = { id };
        }
      }
      if (rest.length + (seen.data ?? "").length > LONGEST) throw new PushmillError(413, "an event is too large");
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
