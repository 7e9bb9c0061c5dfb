// What an app may write. It compiles.
import {
  type AvatarResult,
  type DeadLetter,
  type FileResult,
  type ImageResult,
  type JobName,
  type JobStatus,
  type Payload,
  PRIORITY,
  type ProcessFile,
  type PushBatch,
  type PushNotification,
  QUEUE_OF,
  queueOf,
  type Result,
} from "pushmill";
import { queueService } from "pushmill/bullmq";
import { createClient } from "pushmill/http";
import type {} from "pushmill/next";
import type {} from "pushmill/react";
import type {} from "pushmill/sw";

export const pushes: PushNotification[] = [
  { userId: 7, payload: { title: "Hello" } },
  { userId: "u1", payload: '{"title":"Hello"}' },
  { userId: "u1", payload: { title: 5, actions: [{ action: "open", title: "Open" }], anything: { goes: [1] } } },
  { userId: "u1", payload: { web_push: 8030, notification: { title: "Hello", navigate: "https://example.com/" } } },
  {
    userId: "u1",
    payload: { title: "Hello", url: "/inbox", data: { any: "thing" }, badge: 3, app_badge: 3, silent: true },
    options: { ttl: 60, urgency: "high", topic: 5, notBefore: Date.now(), expiresAt: new Date().toISOString() },
  },
  {
    userId: "u1",
    payload: { title: "Hello" },
    options: { cancelKey: 42 },
  },
  { userId: "u1", payload: { title: "Hello" }, payloads: { de: { title: "Hallo" }, fr: '{"title":"Salut"}' } },
  { userId: "u1", payload: { title: "Hello" }, options: { TTL: 60 } },
  { userId: "u1", payload: { title: "Hello" }, options: { where: { isActive: true, plan: ["pro", null, 1] } } },
];

export const batches: PushBatch[] = [
  { userIds: ["u1", 2], payload: { title: "Hello" } },
  { all: true, payload: { title: "Hello" } },
];

const upload = { fileId: "f1", filePath: "uploads/a.jpg", userId: 1 };
export const files: ProcessFile[] = [
  { ...upload, operation: "resize" },
  { ...upload, operation: "resize", options: { width: 640 } },
  { ...upload, operation: "convert", options: { format: "avif", quality: 50 } },
  { ...upload, operation: "extract_text", options: { markdown: true } },
];

export const image: Payload<"process-image"> = { ...upload, options: { formats: ["webp", "jpeg"], crop: "entropy" } };
export const avatar: Payload<"optimize-avatar"> = { userId: 1, filePath: "a.png", options: { sizes: [64] } };

export const url = (result: ImageResult): string => result.variants[0]?.url ?? result.compressedUrl;
export const face = (result: AvatarResult): string | undefined => result.urls["64"]?.webp;
export const text = (result: FileResult): string =>
  result.operation === "extract_text" ? result.textUrl : `${result.url} ${result.format}`;
export const letter = ({ queue, wire, failedAt }: DeadLetter): string => `${queue} ${wire} ${failedAt.toFixed()}`;
export const sent = (result: Result<"push-batch">): number => result.origins["https://push.test"]?.["sent"] ?? 0;
export const state = (job: JobStatus<ImageResult>): string | undefined => job.result?.blurhash;

export const queue: "file-processing" = QUEUE_OF["process-video"];
export const queues: string[] = (Object.keys(QUEUE_OF) as JobName[]).map((name) => queueOf(name));
export const first: 1 = PRIORITY.urgent;

export async function add(): Promise<string> {
  const client = createClient({ url: "https://worker.example.com", token: "t" });
  const job = await client.submit("process-image", image, { attempts: 2 });
  const queues = queueService({ connection: { url: "redis://localhost" }, prefix: "bull" });
  const pushed = await queues.add("push-notification", { userId: 1, payload: { title: "Hello" } }, { attempts: 2 });
  return job.id + pushed.id;
}
