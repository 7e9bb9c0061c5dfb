import { answerOf } from "./admin/answer.js";
import { API, DASHBOARD, type Part } from "./admin/part.js";
import { type Context, placeOf } from "./admin/place.js";
import { isSameSite } from "./admin/same-site.js";
import { trouble } from "./admin/trouble.js";
import { AwayError, ask, parsedUrl } from "./admin/upstream.js";
import { RouteError } from "./answer.js";
import { readBytes } from "./body.js";

/** What a user of the app may do: nothing, look, or everything that the token may. */
export type Access = boolean | "read" | "full";

export interface AdminOptions {
  /** Where web.py is, such as `https://pushmill.example`. */
  url: string | undefined;
  /** One of its API_TOKENS. It stays on the server. */
  token: string | undefined;
  /** Called for every request, with the app's own session. What it throws, such as Next.js' `redirect()`, is thrown. */
  allow: (request: Request) => Access | Promise<Access>;
  /** `dashboard`, or `api`: what docs/api.md lists below `/queue`. */
  part?: "dashboard" | "api";
  /** That of the app's next.config, if it has one. */
  basePath?: string;
}

type Handler = (request: Request, context: Context) => Promise<Response>;

export interface AdminRoute {
  GET: Handler;
  HEAD: Handler;
  POST: Handler;
  /** Only of the API; 405 for the dashboard. */
  DELETE: Handler;
}

/**
 * Passes Pushmill's dashboard (or its API) to the app's own users: for `app/admin/queues/[[...path]]/route.ts`, or below
 * any other path. The browser sees neither the token nor web.py's cookies.
 *
 * Answers 403 to those that `allow` refuses, and to a form that another site has sent; 502 with one readable line if
 * web.py can't be asked.
 */
export function adminRoute(options: AdminOptions): AdminRoute {
  const part = options.part === "api" ? API : DASHBOARD;
  const handle: Handler = (request, context) => pass(part, options, request, context);
  return { GET: handle, HEAD: handle, POST: handle, DELETE: handle };
}

async function pass(part: Part, options: AdminOptions, request: Request, context?: Context): Promise<Response> {
  const access = await options.allow(request);
  if (access !== true && access !== "full" && access !== "read") return trouble(part, 403, "You may not see this.");
  const mayWrite = access !== "read";
  const refused = refusalOf(part, request, mayWrite);
  if (refused) return refused;
  const place = await placeOf(part, request, context, options.basePath ?? "");
  if (!place) return trouble(part, 404, "There is no such page.");
  const url = parsedUrl(options.url ?? "");
  if (!url) return trouble(part, 502, "PUSHMILL_URL: not set, or not an address such as https://pushmill.example");
  if (!options.token) return trouble(part, 502, "PUSHMILL_TOKEN: not set; set it to a token of web.py");
  try {
    const body = isReading(request) ? null : ((await readBytes(request, part.largestBody)) as BodyInit);
    const answer = await ask({ url, token: options.token, ...place, mayWrite, body }, request);
    return answerOf(part, answer, url, place.mount, request.method === "HEAD");
  } catch (error) {
    if (error instanceof AwayError) return trouble(part, 502, error.message);
    if (error instanceof RouteError) return trouble(part, error.status, error.message);
    throw error;
  }
}

function isReading({ method }: Request): boolean {
  return method === "GET" || method === "HEAD";
}

/** The answer to a request that no page of this app sends, or that this user may not send. */
function refusalOf(part: Part, request: Request, mayWrite: boolean): Response | null {
  if (!part.methods.includes(request.method)) return trouble(part, 405, `${request.method} is not for this page.`);
  if (isReading(request)) return null;
  if (!isSameSite(request)) return trouble(part, 403, "The form was sent from another site.");
  return mayWrite ? null : trouble(part, 403, "You may only read.");
}
