import type { Part } from "./part.js";

/** What Next.js passes to a route beside the request. Next.js 15 and 16: `params` is a promise. */
export interface Context {
  params: Promise<object>;
}

/** Where the browser sees the route (`/ops/queues`), and what is asked for at web.py. */
export interface Place {
  mount: string;
  /** Path and query. */
  asked: string;
}

const FORBIDDEN = /^\.{0,2}$|[/\\\p{Cc}]/u;

/**
 * Splits the request's path into the app's part and web.py's. Only the number of the route's parameters is used: their
 * text is encoded in some versions of Next.js and decoded in others. `basePath` is the app's: `next start` removes it from
 * the request (seen with 16.4). null: the path has a segment that no page has.
 */
export async function placeOf(
  part: Part,
  request: Request,
  context: Context | undefined,
  basePath: string,
): Promise<Place | null> {
  const { pathname, search } = new URL(request.url);
  const segments = pathname.replace(/\/$/, "").split("/").slice(1).map(normalized);
  if (segments.some((segment) => segment === null)) return null;
  const below = segments.splice(segments.length - (await depth(context)));
  const lacking = pathname.startsWith(`${basePath}/`) ? "" : basePath;
  const mount = `${lacking}/${segments.join("/")}`.replace(/\/$/, "");
  return { mount, asked: (below.length > 0 ? `${part.root}/${below.join("/")}` : part.front) + search };
}

/** A segment, encoded in one way only. null: it could leave the path, or can't be decoded. */
function normalized(segment: string): string | null {
  try {
    const text = decodeURIComponent(segment);
    return FORBIDDEN.test(text) ? null : encodeURIComponent(text).replace(/[!'()*]/g, hexadecimal);
  } catch {
    return null;
  }
}

function hexadecimal(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

/** How many segments the route's catch-all parameter has. */
async function depth(context: Context | undefined): Promise<number> {
  const caught = Object.values((await context?.params) ?? {}).find(Array.isArray);
  return caught?.length ?? 0;
}
