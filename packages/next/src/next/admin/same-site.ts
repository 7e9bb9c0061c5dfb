/**
 * Whether a page of this very app sent the request. The session's cookie authorises it, so another site could send it
 * as well (CSRF). Browsers say where a request comes from in Sec-Fetch-Site, which no page can set (Fetch Metadata,
 * W3C); older ones, and all of them by plain http, only in Origin.
 */
export function isSameSite({ headers }: Request): boolean {
  const site = headers.get("sec-fetch-site");
  return site === null ? isOwn(headers.get("origin"), headers) : site === "same-origin";
}

/** `X-Forwarded-Host` is the browser's own host where a router has replaced Host. */
function isOwn(origin: string | null, headers: Headers): boolean {
  const host = headers.get("x-forwarded-host")?.split(",")[0]?.trim() || headers.get("host");
  try {
    return origin !== null && host !== null && new URL(origin).host === new URL(`http://${host}`).host;
  } catch {
    return false;
  }
}
