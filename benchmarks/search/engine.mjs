// A search engine that takes everything: `engine.mjs`. Prints its port; answers `GET /taken` with how many ids it has.
import { createServer } from "node:http";

const ids = new Set();
const server = createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    response.setHeader("Content-Type", "application/json");
    if (request.url === "/taken") return response.end(JSON.stringify({ taken: ids.size }));
    const lines = Buffer.concat(chunks).toString().split("\n");
    const items = [];
    for (let line = 0; line + 1 < lines.length; line += 2) {
      ids.add(JSON.parse(lines[line]).index._id);
      JSON.parse(lines[line + 1]);
      items.push({ index: { status: 201 } });
    }
    response.end(JSON.stringify({ took: 1, errors: false, items }));
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit()).resume();
