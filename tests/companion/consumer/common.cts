// A file of CommonJS.
import pushmill = require("pushmill");
import bullmq = require("pushmill/bullmq");
import type { PushNotification } from "pushmill";

export const push: PushNotification = { userId: 1, payload: { title: "Hello" } };
export const queues = bullmq.queueService({ connection: { url: "redis://localhost" } });
export const queue: "push-notifications" = pushmill.QUEUE_OF["push-notification"];
