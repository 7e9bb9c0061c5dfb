// A file of CommonJS.
import pushmill = require("pushmill");
import type { PushNotification } from "pushmill";

export const push: PushNotification = { userId: 1, payload: { title: "Hello" } };
export const queue: "push-notifications" = pushmill.QUEUE_OF["push-notification"];
