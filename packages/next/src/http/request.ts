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
  /** false: the request may not be sent again if no answer came. */
  again?: boolean;
  /** Milliseconds until the answer is there; `limit` of the answer can renew them. */
  patience?: number;
}

export interface Answer {
  response: Response;
  /** Ends the body; to be cleared once it was read. */
  limit: Limit;
}

/** Sends a request until it is answered. Rejects with a PushmillError, or with the reason of the signal. */
export type Send = <Value>(path: string, ask: Ask, read: (answer: Answer) => Promise<Value>) => Promise<Value>;

const TRIES = 3;
const LONGEST_PAUSE = 10; // seconds: a route should answer before
const PATIENCE = 15_000;

/** A request that the API asks to send again (429, 503), or that got no answer, is sent three times at most. */
export function sender(options: ClientOptions): Send {
  return async (path, ask, read) => {
    const [, base = "", token = ""] = checked(options);
    const init = described(ask, token);
    for (let tried = 1; ; tried++) {
      try {
        return await once(options.fetch ?? fetch, base + path, init, ask, read);
      } catch (error) {
        if (!(error instanceof PushmillError) || tried === TRIES) throw error;
        const { status, retryAfter = tried / 2 } = error;
        const isSafe = status ? status === 429 || status === 503 : ask.again !== false;
        if (!isSafe || retryAfter > LONGEST_PAUSE) throw error;
        await pause(retryAfter * 1000, ask.signal);
      }
    }
  };
}

/** The JSON object of an answer. */
export async function json({ response, limit }: Answer): Promise<Record<string, unknown>> {
  const text = await response.text();
  limit.clear();
  return parsed(text, response.status);
}

async function once<Value>(
  send: typeof fetch,
  address: string,
  init: RequestInit,
  { signal, patience = PATIENCE }: Ask,
  read: (answer: Answer) => Promise<Value>,
): Promise<Value> {
  const limit = limited(patience, signal);
  try {
    const response = await send(address, { ...init, signal: limit.signal });
    if (!response.ok) throw await refusal(response);
    return await read({ response, limit });
  } catch (error) {
    limit.clear();
    signal?.throwIfAborted();
    // Another error may have the whole address and the headers, so it is left out.
    throw error instanceof PushmillError ? error : new PushmillError(0, `no answer from ${new URL(address).host}`);
  }
}

function described({ body, headers }: Ask, token: string): RequestInit {
  // The API redirects nothing, and a token must not follow a redirect. (Workers do not know "error".)
  const init = { redirect: "manual" as const, headers: { ...headers, Authorization: `Bearer ${token}` } };
  if (!body) return init;
  const typed = { ...init.headers, "Content-Type": "application/json" };
  return { ...init, method: "POST", headers: typed, body: JSON.stringify(body) };
}

/** The base address and the token. The error names neither: an address may have a password. */
function checked({ url = "", token = "" }: ClientOptions): string[] {
  const fit = /^(https?:\/\/[^\s/?#][^\s?#]*?)\/* ([!-~]+)$/i.exec(`${url.trim()} ${token.trim()}`);
  if (fit) return fit;
  throw new TypeError("createClient: url or token is missing or wrong (PUSHMILL_URL, PUSHMILL_TOKEN)");
}
