import type { Part } from "./part.js";

const PATIENCE = 30_000; // milliseconds until an answer begins: web.py gives up after 15 seconds
const SENT = ["accept", "content-type", "idempotency-key", "last-event-id"];

/** What is asked of web.py, and by whom. */
export interface Question {
  /** The URL of web.py, without a path of the part. */
  url: URL;
  token: string;
  mount: string;
  asked: string;
  mayWrite: boolean;
  body: BodyInit | null;
}

/** Why web.py could not be asked. The message is one line. */
export class AwayError extends Error {}

/** Asks web.py. Nothing that names the app's user (cookies, addresses) is sent. Throws AwayError. */
export async function ask(question: Question, request: Request): Promise<Response> {
  const slow = new AbortController();
  const timer = setTimeout(() => slow.abort(), PATIENCE);
  try {
    return await fetch(addressOf(question), {
      method: request.method === "HEAD" ? "GET" : request.method, // web.py knows no HEAD
      headers: headersOf(question, request),
      body: question.body,
      redirect: "manual",
      cache: "no-store",
      signal: AbortSignal.any([request.signal, slow.signal]),
    });
  } catch (error) {
    throw new AwayError(`web.py at ${question.url.host} ${reasonOf(error, slow.signal.aborted)}`);
  } finally {
    clearTimeout(timer);
  }
}

/** web.py's address, or null if `url` is none. */
export function parsedUrl(url: string): URL | null {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  return parsed && /^https?:$/.test(parsed.protocol) && !parsed.username && !parsed.password ? parsed : null;
}

/** The path of a part, which may lie below a path of `url`. */
export function rootOf(part: Part, url: URL): string {
  return url.pathname.replace(/\/+$/, "") + part.root;
}

function addressOf({ url, asked }: Question): string {
  return url.origin + url.pathname.replace(/\/+$/, "") + asked;
}

function headersOf({ token, mount, mayWrite }: Question, request: Request): Headers {
  const headers = new Headers({
    authorization: `Bearer ${token}`,
    "x-forwarded-prefix": mount,
    // Always sent: without it web.py takes an unknown token for that of a proxy in front, and asks for its own sign-in.
    "x-pushmill-access": mayWrite ? "full" : "read",
  });
  for (const name of SENT) {
    const value = request.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  return headers;
}

function reasonOf(error: unknown, isSlow: boolean): string {
  if (isSlow) return `has not answered within ${PATIENCE / 1000} seconds`;
  const code = (error as { cause?: { code?: unknown } }).cause?.code;
  return `can't be reached${typeof code === "string" ? ` (${code})` : ""}: is it running, and is the url right?`;
}
