"use client";

export { type PushState, signOutOfPush } from "../push/store.js";
export type { JobView } from "./job-store.js";
export type { LiveNotification, NotificationsView } from "./notification-store.js";
export type { Uploaded } from "./send-file.js";
export { useJob } from "./use-job.js";
export { type UseNotifications, useNotifications } from "./use-notifications.js";
export { type Push, type UsePushOptions, usePush } from "./use-push.js";
export { type Upload, useUpload } from "./use-upload.js";
