import { queueService } from "pushmill/bullmq";

/** Adds jobs, and looks them up. It connects with the first job: `next build` imports this file, too. */
export const queues = queueService({ connection: { url: process.env.REDIS_URL } });
