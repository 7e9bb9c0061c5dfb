import type { JobName, Payload } from "../status.js";

export type UploadKind = "image" | "video" | "avatar" | "file";

const MEBIBYTE = 1024 * 1024;
// No SVG: opened by itself it is a page with scripts, at the bucket's address.
const IMAGES = [
  "image/jpeg",
  "image/png",
  "image/webp",
  "image/gif",
  "image/avif",
  "image/heic",
  "image/heif",
  "image/tiff",
  "image/bmp",
];
const VIDEOS = ["video/mp4", "video/quicktime", "video/webm", "video/x-matroska", "video/x-msvideo", "video/mpeg"];
const DOCUMENTS = [
  "application/pdf",
  "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  "text/plain",
  "text/markdown",
];

/** What may be uploaded as which kind, and the job that it becomes. The sizes are the worker's own limits. */
export const KINDS = {
  image: { job: "process-image", maxBytes: 64 * MEBIBYTE, types: IMAGES },
  video: { job: "process-video", maxBytes: 1024 * MEBIBYTE, types: VIDEOS },
  avatar: { job: "optimize-avatar", maxBytes: 64 * MEBIBYTE, types: IMAGES },
  file: { job: "process-file", maxBytes: 64 * MEBIBYTE, types: DOCUMENTS },
} as const satisfies Record<UploadKind, { job: JobName; maxBytes: number; types: readonly string[] }>;

type Work<Job> = Job extends unknown ? Omit<Job, "fileId" | "filePath" | "userId"> : never;

/** What the jobs of each kind get besides the upload, as in their payloads. Default of `file`: extract its text. */
export interface UploadJobs {
  image?: Work<Payload<"process-image">>;
  video?: Work<Payload<"process-video">>;
  avatar?: Work<Payload<"optimize-avatar">>;
  file?: Work<Payload<"process-file">>;
}

export function isKind(value: unknown): value is UploadKind {
  return typeof value === "string" && Object.hasOwn(KINDS, value);
}
