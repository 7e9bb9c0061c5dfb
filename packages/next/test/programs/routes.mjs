// An app's routes over a real Prisma client. It is copied into a folder that has the packages, and the client in client/.
// The user is in a header. DATABASE_URL, REDIS_URL and what `uploadRoutes` reads come from the environment.
// Prints its port.
import { createServer } from "node:http";
import { PrismaLibSql } from "@prisma/adapter-libsql";
import { PrismaPg } from "@prisma/adapter-pg";
import { QueueService } from "pushmill/bullmq";
import { notificationRoutes, preferenceRoutes, subscriptionRoutes, uploadRoutes } from "pushmill/next";
import { outbox } from "pushmill/outbox";
import { PrismaClient } from "./client/index.js";

const { DATABASE_URL, REDIS_URL, UPLOAD_METHOD, MAX_BYTES } = process.env;
const adapter = DATABASE_URL.startsWith("file:")
  ? new PrismaLibSql({ url: DATABASE_URL, timeout: 5000 })
  : new PrismaPg({ connectionString: DATABASE_URL });
const prisma = new PrismaClient({ adapter });
const userId = (request) => request.headers.get("x-user");
const queues = new QueueService({ connection: { url: REDIS_URL } }); // it connects with the first job
const maxBytes = MAX_BYTES ? { image: Number(MAX_BYTES) } : {};

// Writes what the request has, in one transaction, which fails if the request says so.
async function write(request) {
  const { job, event, fails } = await request.json();
  const ids = await prisma
    .$transaction(async (tx) => {
      const written = [await outbox(tx).add(...job), await outbox(tx).event(...event)];
      if (fails) throw new Error("rolled back");
      return written;
    })
    .catch((error) => [error.message]);
  return Response.json(ids);
}

const routes = {
  "/api/outbox": { POST: write },
  "/api/notifications": notificationRoutes({ prisma, userId, source: queues }),
  "/api/preferences": preferenceRoutes({ prisma, userId }),
  "/api/push/subscriptions": subscriptionRoutes({ prisma, userId, allowLocalEndpoints: true }),
  "/api/uploads": uploadRoutes({ prisma, userId, queues, method: UPLOAD_METHOD, maxBytes }),
};

const server = createServer(async (incoming, outgoing) => {
  const chunks = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const { method, url, headers } = incoming;
  const body = chunks.length ? Buffer.concat(chunks) : undefined;
  const answer = await routes[url][method](new Request(`http://${headers.host}${url}`, { method, headers, body }));
  outgoing.writeHead(answer.status, Object.fromEntries(answer.headers));
  outgoing.end(Buffer.from(await answer.arrayBuffer()));
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
