import { PushmillError, parsed, refusal } from "./error.js";
import { type Limit, limited, pause } from "./limit.js";

export interface ClientOptions {
  /** Where `web.py` answers, such as `https://queue.example.com`: PUSHMILL_URL. */
  url: string | undefined;
  /** A token of its API_TOKENS: PUSHMILL_TOKEN. Only for code that runs on a server. */
  token: string | undefined;
  /** In place of the platform's `fetch`. */
  fetch?: typeof fetch;
}

export interface Ask {
  /** Sent as JSON, with POST. */
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
  /** How often it is sent at most; default 3. */
  tries?: number;
}

/** What to read of an answer; default: its JSON object. The limit ends the body. */
type Read<Value> = (response: Response, limit: Limit) => Value | Promise<Value>;

/** Sends a request until it is answered. Rejects with a PushmillError, or with the reason of the signal. */
export type Send = <Value = Record<string, unknown>>(path: string, ask: Ask, read?: Read<Value>) => Promise<Value>;

const LONGEST_PAUSE = 10; // seconds: a route should answer before
const PATIENCE = 20_000; // milliseconds; while events are read, the API sends a comment every 15 seconds

/** Sends a request again if the API asks for that (429, 503), and if it can't be reached. */
export function sender(options: ClientOptions): Send {
  return async (path, ask, read) => {
    const { signal, tries = 3 } = ask;
    const [, base, token] = checked(options);
    const init = described(ask, token);
    for (let tried = 1; ; tried++) {
      const limit = limited(PATIENCE, signal);
      let failure: PushmillError;
      try {
        const response = await (options.fetch ?? fetch)(base + path, { ...init, signal: limit.signal });
        if (response.ok && read) return read(response, limit);
        const said = parsed(await response.text());
        limit.end();
        if (response.ok && said) return said as never;
        failure = refusal(response, said);
      } catch {
        limit.end();
        signal?.throwIfAborted();
        // The error may have the whole address and the headers, so it is left out.
        failure = new PushmillError(0, `no answer from ${new URL(base).host}`);
      }
      const { status, retryAfter } = failure;
      const isPassing = !status || status === 429 || status > 500;
      if (!isPassing || (retryAfter ?? 0) > LONGEST_PAUSE || tried === tries) throw failure;
      await pause(tried, signal, retryAfter);
    }
  };
}

function described({ body, headers }: Ask, token: string): RequestInit {
  return {
    method: body ? "POST" : "GET",
    // The API redirects nothing, and a token must not follow a redirect. (Workers do not know "error".)
    redirect: "manual",
    headers: { ...headers, "Content-Type": "application/json", Authorization: `Bearer ${token}` },
    body: JSON.stringify(body),
  };
}

/** The base address and the token. The error names neither: an address may have a password. */
function checked({ url = "", token = "" }: ClientOptions): [string, string, string] {
  const fit = /^(https?:\/\/[^\s/?#][^\s?#]*?)\/* ([!-~]+)$/i.exec(`${url.trim()} ${token.trim()}`);
  if (fit) return fit as unknown as [string, string, string];
  throw new TypeError("createClient: url or token is missing or wrong (PUSHMILL_URL, PUSHMILL_TOKEN)");
}
