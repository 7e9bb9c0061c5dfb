import { PushmillError } from "./error.js";

const LONGEST = 2 ** 24; // characters of one event; the API's own limit of a payload is 4 MiB
const EVENT = /^(?:id: (.*)\n)?event: (.*)\ndata: ([^\n]*)$/;

/**
 * Reads server-sent events in the one form in which the API writes them: `id` (not for a job that is gone), `event` and
 * `data`, a line each. They are matches of EVENT; all else is skipped. `alive` is called with each piece of the body.
 */
export async function* serverSent(body: ReadableStream<BufferSource>, alive: () => void) {
  let rest = "";
  for await (const piece of body.pipeThrough(new TextDecoderStream())) {
    alive();
    const blocks = (rest + piece).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const found = EVENT.exec(block);
      if (found) yield found;
    }
    if (rest.length > LONGEST) throw new PushmillError(413, "an event is too large");
  }
}
