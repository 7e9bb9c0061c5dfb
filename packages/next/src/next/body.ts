import { refuse } from "./answer.js";

export type Fields = Record<string, unknown>;

/**
 * Read a JSON object that a page of the same origin has sent.
 *
 * A form of another site can send neither `application/json` nor a request without an origin, so it can't use the
 * session of the user who visits that site. Answers 403, 415, 413 (more than `maxBytes`) or 400.
 */
export async function readJson(request: Request, maxBytes: number): Promise<Fields> {
  if (!isSameOrigin(request.headers)) refuse(403, "the request comes from another site");
  if (mediaType(request) !== "application/json") refuse(415, "send JSON, with Content-Type: application/json");
  const value = parse(await readBytes(request, maxBytes));
  return isObject(value) ? value : refuse(400, "the body is not a JSON object");
}

export function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Browsers say where a request comes from: in Sec-Fetch-Site (https://www.w3.org/TR/fetch-metadata/), older ones in
 * Origin. A request with neither is no browser's.
 */
function isSameOrigin(headers: Headers): boolean {
  const site = headers.get("sec-fetch-site");
  if (site !== null) return site === "same-origin" || site === "none";
  const origin = headers.get("origin");
  return origin === null || hostOf(origin) === ownHost(headers);
}

/** Behind a proxy `Host` may be an inner name. */
function ownHost(headers: Headers): string | undefined {
  const host = headers.get("x-forwarded-host") ?? headers.get("host");
  return host?.split(",", 1)[0]?.trim().toLowerCase();
}

function hostOf(origin: string): string | null {
  return URL.canParse(origin) ? new URL(origin).host : null;
}

function mediaType(request: Request): string {
  return (request.headers.get("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

/** Content-Length may lie or be missing, so the bytes are counted as they come. Answers 413. */
export async function readBytes(request: Request, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength;
    if (size > maxBytes) refuse(413, `the body has more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return refuse(400, "the body is not JSON");
  }
}
