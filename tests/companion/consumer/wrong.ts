// What an app must not write. Each line after a comment is an error of the compiler.
import type { ImageResult, Payload, ProcessFile, ProcessImage, PushBatch, PushNotification, PushOptions } from "pushmill";
import type { QueueService } from "pushmill/bullmq";
import { createClient } from "pushmill/http";

const payload = { title: "Hello" };
const upload = { fileId: "f1", filePath: "uploads/a.jpg", userId: 1 };

// @ts-expect-error: no user
export const nobody: PushNotification = { payload };
// @ts-expect-error: no title
export const untitled: PushNotification = { userId: 1, payload: { body: "b" } };
// @ts-expect-error: a name that is misspelt
export const misspelt: PushNotification = { userId: 1, payload, option: {} };
// @ts-expect-error: there is no such option
export const option: PushOptions = { timeout: 5 };
// @ts-expect-error: there is no such urgency
export const urgency: PushOptions = { urgency: "highest" };
// @ts-expect-error: a time is a number or an ISO date
export const date: PushOptions = { notBefore: new Date() };
// @ts-expect-error: null is not how a field is left out
export const missing: PushOptions = { topic: null };
// @ts-expect-error: Declarative Web Push needs `navigate`
export const nowhere: PushNotification = { userId: 1, payload: { web_push: 8030, notification: payload } };

// @ts-expect-error: to whom?
export const none: PushBatch = { payload };
// @ts-expect-error: to some, or to all?
export const both: PushBatch = { userIds: [1], all: true, payload };
// @ts-expect-error: to nobody
export const neither: PushBatch = { all: false, payload };
// @ts-expect-error: only a message to one user collapses
export const collapsed: PushBatch = { all: true, payload, options: { collapse: { key: 1, window: 9, template: "t" } } };

// @ts-expect-error: there is no such format
export const format: ProcessImage = { ...upload, options: { formats: ["bmp"] } };
// @ts-expect-error: an option that is misspelt
export const quality: ProcessImage = { ...upload, options: { qualty: 50 } };
// @ts-expect-error: another operation's option
export const width: ProcessFile = { ...upload, operation: "compress", options: { width: 640 } };
// @ts-expect-error: into which format?
export const convert: ProcessFile = { ...upload, operation: "convert" };
// @ts-expect-error: there is no such operation
export const rotate: ProcessFile = { ...upload, operation: "rotate" };

// @ts-expect-error: there is no such job
export type Unknown = Payload<"process-imgae">;
// @ts-expect-error: a result has no such field
export const field = (result: ImageResult): unknown => result.compressedURL;

export async function add(queues: QueueService): Promise<void> {
  // @ts-expect-error: a payload of another job
  await queues.add("process-image", { userId: 1, payload });
  const client = createClient({ url: "https://worker.example.com", token: "t" });
  // @ts-expect-error: a payload of another job
  await client.submit("process-image", { userId: 1, payload });
  // @ts-expect-error: there is no such job
  await client.submit("process-imgae", upload);
}
