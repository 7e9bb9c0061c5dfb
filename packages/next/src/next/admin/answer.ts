import type { Part } from "./part.js";
import { trouble } from "./trouble.js";
import { rootOf } from "./upstream.js";

// All others stay behind: cookies, connection headers, and the encoding that fetch has already undone.
const PASSED = [
  "cache-control",
  "content-security-policy",
  "content-type",
  "referrer-policy",
  "retry-after",
  "x-content-type-options",
  "x-robots-tag",
];

/** The answer for the app's user: web.py's, with the app's own paths. What is not web.py's is named, not shown. */
export function answerOf(part: Part, answer: Response, url: URL, mount: string, isHead: boolean): Response {
  const refused = refusalOf(part, answer, url);
  const location = refused ? null : locationOf(part, answer, url, mount);
  if (refused || location === undefined) {
    void answer.body?.cancel();
    return trouble(part, 502, refused ?? elsewhere(part, answer, url));
  }
  const headers = new Headers();
  for (const name of PASSED) {
    const value = answer.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  // Next.js would compress events, and so hold them back.
  if (headers.get("content-type")?.startsWith("text/event-stream")) headers.append("cache-control", "no-transform");
  if (location !== null) headers.set("location", location);
  if (isHead) void answer.body?.cancel();
  return new Response(isHead ? null : answer.body, { status: answer.status, headers });
}

/** Why the answer is of no use; null if it is web.py's own. */
function refusalOf(part: Part, { status, headers }: Response, url: URL): string | null {
  if (status === 401) return "web.py does not know the token: set PUSHMILL_TOKEN to one whose entry is in API_TOKENS";
  if (headers.has("location")) return null;
  const isOwn = part.isPages ? headers.has("content-security-policy") : !headers.get("content-type")?.includes("html");
  return isOwn ? null : `what answers at ${url.host} (${status}) is not web.py: is the url right, and is it running?`;
}

/** Where the answer leads in the app. null: nowhere; undefined: out of the part. */
function locationOf(part: Part, answer: Response, url: URL, mount: string): string | null | undefined {
  const location = answer.headers.get("location");
  if (location === null) return null;
  const target = targetOf(location, url);
  const root = rootOf(part, url);
  if (target?.origin !== url.origin || !`${target.pathname}/`.startsWith(`${root}/`)) return undefined;
  const path = target.pathname.slice(root.length);
  if (part.isPages && path === "/login") return undefined;
  return `${mount}${path === "/" ? "" : path}${target.search}${target.hash}` || "/";
}

function targetOf(location: string, url: URL): URL | null {
  return URL.canParse(location, url) ? new URL(location, url) : null;
}

function elsewhere(part: Part, answer: Response, url: URL): string {
  const target = targetOf(answer.headers.get("location") ?? "", url);
  if (target && target.origin !== url.origin)
    return `${url.host} redirects to ${target.origin}: set PUSHMILL_URL to that`;
  if (part.isPages) return "web.py wants its own sign-in: it is older than this package, so update the worker";
  return `${url.host} redirects out of the API: is PUSHMILL_URL right?`;
}
