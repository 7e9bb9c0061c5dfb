import type { Part } from "./part.js";

const HEADERS = { "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff" };
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";
const STYLE = "body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:10vh auto;padding:0 1rem}";

/** An answer of the route's own: one line that says what is wrong and what to do, as a page or as JSON. */
export function trouble(part: Part, status: number, line: string): Response {
  if (!part.isPages) return Response.json({ error: line }, { status, headers: HEADERS });
  const page = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Queues</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<style>${STYLE}</style></head><body><h1>This did not work</h1><p>${escaped(line)}</p></body></html>`;
  const headers = { ...HEADERS, "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": POLICY };
  return new Response(page, { status, headers });
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
