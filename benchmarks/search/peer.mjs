// The peer, as an app writes it: a job reads its row with pg, and sends it to `_bulk`. `peer.mjs <redis> <database> <engine>`
import { Worker } from "bullmq";
import pg from "pg";

const [redis, database, engine] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString: database, max: 5 });
const query = 'SELECT "id", "title", "body", "at", "version" FROM "search_Post" WHERE "id" = $1';

async function index({ data }) {
  const { rows } = await pool.query(query, [data.id]);
  const { id, version, ...document } = rows[0];
  const action = { index: { _index: "post", _id: String(id), version: Number(version), version_type: "external_gte" } };
  const answer = await fetch(`${engine}/_bulk`, {
    method: "POST",
    headers: { "Content-Type": "application/x-ndjson" },
    body: `${JSON.stringify(action)}\n${JSON.stringify(document)}\n`,
  });
  const [item] = (await answer.json()).items;
  if (item.index.status >= 300 && item.index.status !== 409) throw new Error(String(item.index.status));
  return { index: "post", id: String(id), result: "indexed" };
}

const worker = new Worker("search", index, {
  connection: { url: redis, maxRetriesPerRequest: null },
  concurrency: 5,
  removeOnComplete: { age: 86_400, count: 1000 },
});
worker.on("error", (error) => console.error(error));
worker.on("ready", () => console.log("ready"));
process.on("SIGTERM", () => process.exit());
