import { queueService } from "pushmill/bullmq";

// A Redis with a self-signed certificate, such as Heroku's, needs `tls: { rejectUnauthorized: false }` here.
export const connection = { url: process.env.REDIS_URL ?? "" };

// Adds jobs: await queues.addPushNotification({ userId, payload: { title: "Hello" } }).
// It connects with the first job: `next build` imports this file, too.
export const queues = queueService({ connection });
