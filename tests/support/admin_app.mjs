// An app with pushmill's adminRoute, served as Next.js serves it: path, parameters, and no slash at the end.
// Prints its port. Whoever opens /enter?as=ada has a session; `viewer` may only read.
import { createServer } from "node:http";
import { Readable } from "node:stream";
import { adminRoute } from "pushmill/next";

const { PUSHMILL_URL: url, PUSHMILL_TOKEN: token, BASE_PATH: basePath = "" } = process.env;
const ACCESS = { ada: true, viewer: "read" };

function allow(request) {
  const [, user] = /\bme=(\w+)/.exec(request.headers.get("cookie") ?? "") ?? [];
  return ACCESS[user] ?? false;
}

const ROUTES = {
  "/ops/queues": adminRoute({ url, token, allow, basePath }),
  "/api/queue": adminRoute({ url, token, allow, basePath, part: "api" }),
};

async function answer(path, request) {
  if (path === "/enter") {
    const user = new URL(request.url).searchParams.get("as");
    return new Response("in", { headers: { "Set-Cookie": `me=${user}; HttpOnly; SameSite=Lax; Path=/` } });
  }
  const mount = Object.keys(ROUTES).find((known) => `${path}/`.startsWith(`${known}/`));
  if (!mount) return new Response("the app has no such page", { status: 404 });
  if (path.endsWith("/")) return new Response(null, { status: 308, headers: { Location: basePath + path.slice(0, -1) } });
  const below = path.slice(mount.length).split("/").slice(1);
  return ROUTES[mount][request.method](request, { params: Promise.resolve(below.length > 0 ? { path: below } : {}) });
}

const server = createServer(async (incoming, outgoing) => {
  const path = incoming.url.split("?", 1)[0];
  if (path === "/favicon.ico") return outgoing.writeHead(204).end();
  if (!path.startsWith(basePath)) return outgoing.writeHead(404).end("outside of the app");
  const gone = new AbortController();
  outgoing.on("close", () => gone.abort());
  const hasBody = !["GET", "HEAD"].includes(incoming.method);
  const request = new Request(`http://${incoming.headers.host}${incoming.url.slice(basePath.length) || "/"}`, {
    method: incoming.method,
    headers: incoming.headers,
    signal: gone.signal,
    ...(hasBody ? { body: Readable.toWeb(incoming), duplex: "half" } : {}),
  });
  const { status, headers, body } = await answer(path.slice(basePath.length) || "/", request);
  outgoing.writeHead(status, Object.fromEntries(headers));
  if (!body) return outgoing.end();
  Readable.fromWeb(body)
    .on("error", () => outgoing.destroy())
    .pipe(outgoing);
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
