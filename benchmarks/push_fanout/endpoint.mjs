// A push service that takes everything: 201, over TLS with keep-alive, and as little work as can be; at /after/<ms>/
// after so many milliseconds, as one does that is far away.
// usage: node endpoint.mjs <key.pem> <certificate.pem>; prints its port. GET /arrivals tells and forgets what came.
import { readFileSync } from "node:fs";
import { createServer } from "node:https";

const [key, cert] = process.argv.slice(2).map((path) => readFileSync(path));
let arrivals = {};
let count = 0;
let first = 0;
let last = 0;
let open = 0;
let peak = 0;

const server = createServer({ key, cert, keepAlive: true }, (request, response) => {
  if (request.method === "GET") {
    response.end(JSON.stringify({ count, first, last, peak, arrivals }));
    if (request.url === "/reset") {
      arrivals = {};
      count = first = last = peak = 0;
    }
    return;
  }
  request.resume();
  request.on("end", () => {
    last = performance.timeOrigin + performance.now();
    first ||= last;
    count += 1;
    if (request.url.startsWith("/timed/")) arrivals[request.url.slice(7)] = last;
    const [, after] = /^\/after\/(\d+)\//.exec(request.url) ?? [];
    if (after) setTimeout(() => response.writeHead(201).end(), Number(after));
    else response.writeHead(201).end();
  });
});
server.keepAliveTimeout = 60_000;
server.on("connection", (socket) => {
  open += 1;
  peak = Math.max(peak, open);
  socket.on("close", () => (open -= 1));
});
server.listen(0, "127.0.0.1", 4096, () => console.log(server.address().port));
