// The worker that a Next.js team writes: stock bullmq, web-push and pg, one fan-out a job, dead subscriptions deleted on 410.
// SOCKETS bounds the connections; without it they are as many as there are pushes, as Promise.all has it.
import { Agent } from "node:https";
import { Worker } from "bullmq";
import pg from "pg";
import webpush from "web-push";

const env = process.env;
const pool = new pg.Pool({ connectionString: env.DATABASE_URL });
const agent = env.SOCKETS ? new Agent({ keepAlive: true, maxSockets: Number(env.SOCKETS) }) : undefined;
webpush.setVapidDetails(env.VAPID_SUBJECT, env.VAPID_PUBLIC_KEY, env.VAPID_PRIVATE_KEY);

async function processPushNotification(job) {
  const { userId, payload } = job.data;
  const { rows } = await pool.query('SELECT * FROM "PushSubscription" WHERE "userId" = $1', [userId]);
  const notification = JSON.stringify(payload);
  let sent = 0;
  let failed = 0;
  await Promise.all(
    rows.map(async (row) => {
      try {
        const subscription = { endpoint: row.endpoint, keys: { p256dh: row.p256dh, auth: row.auth } };
        await webpush.sendNotification(subscription, notification, agent && { agent });
        sent += 1;
      } catch (error) {
        if (error.statusCode === 410) await pool.query('DELETE FROM "PushSubscription" WHERE "id" = $1', [row.id]);
        failed += 1;
      }
    }),
  );
  console.log(`job ${job.id}: ${sent} sent, ${failed} failed`);
  return { sent, failed, total: rows.length };
}

const worker = new Worker("push-notifications", processPushNotification, {
  connection: { url: env.REDIS_URL },
  concurrency: 5,
  autorun: false,
});
await worker.waitUntilReady();
console.log("started");
await worker.run();
