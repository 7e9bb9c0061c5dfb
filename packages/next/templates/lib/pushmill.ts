import { queueService } from "pushmill/bullmq";

// Adds jobs: await queues.addPushNotification({ userId, payload: { title: "Hello" } }).
// It connects with the first job: `next build` imports this file, too.
export const queues = queueService({ connection: process.env.REDIS_URL });
