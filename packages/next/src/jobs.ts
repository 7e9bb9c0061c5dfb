export interface PushNotification {
  userId: string | number;
  payload: Notification | DeclarativeNotification | string; // string: the JSON text of one
  options?: PushOptions;
}

export interface PushBatch {
  userIds?: (string | number)[]; // 1 to 100,000; either this,
  all?: true; // or all users
  payload: Notification | DeclarativeNotification | string;
  options?: PushOptions;
}

export interface Notification {
  title: string | number;
  body?: string | number; // shortened if the whole is too long
  url?: string; // http, https or relative
  icon?: string;
  badge?: string | number; // a number sets the app's badge if there is no app_badge
  image?: string;
  tag?: string | number;
  actions?: { action: string | number; title: string | number; icon?: string }[];
  data?: unknown;
  silent?: boolean;
  requireInteraction?: boolean;
  mutable?: boolean; // Declarative Web Push: also wake the service worker
  app_badge?: number | string; // Declarative Web Push: 0 to 2,147,483,647
  [more: string]: unknown; // passed on unchanged
}

export interface DeclarativeNotification {
  web_push: 8030;
  notification: Notification & { navigate: string };
  mutable?: boolean;
  app_badge?: number | string;
  [more: string]: unknown;
}

export interface PushOptions {
  ttl?: number; // seconds, at most 2,419,200 (4 weeks); default 86,400; 0: only if the device is online
  urgency?: "very-low" | "low" | "normal" | "high";
  topic?: string | number; // replaces an undelivered message of the same topic
  notBefore?: number | string; // milliseconds as of Date.now(), or an ISO date: wait until then
  expiresAt?: number | string; // the same forms: do not send after this
}

export interface PushResult {
  sent: number; // the push service accepted it
  failed: number; // refused, never answered, or a row that can't be used (origins says why); the row is kept
  pruned: number; // gone: the row is deleted or switched off
  retrying: number; // left to follow-up jobs
  skipped: number; // settled by an earlier run of the job, or a second row of the same endpoint
  expired: number; // not sent before ttl or expiresAt was over
  total: number; // the sum of these
  followUps: string[]; // ids of at most 100 follow-up jobs, in the same queue
  ignored: string[]; // at most 20 fields of the job that the worker does not know
  origins: Record<string, Record<string, number>>; // push service -> sent, gone, unreadableKeys, ... -> count
}

export interface Upload {
  fileId: string | number; // letters, digits, _ and -
  filePath: string; // a storage key: no URL, no leading slash
  userId: string | number;
}

export type Format = "jpeg" | "webp" | "avif" | "png";
export type Crop = "center" | "top" | "entropy"; // top: the upper third; entropy: the busiest part

export interface ProcessImage extends Upload {
  options?: {
    formats?: Format[]; // default ["jpeg"]; the first is that of compressedUrl
    quality?: number; // 1 to 95; default 85
    progressive?: boolean;
    widths?: number[]; // further images of these widths
    crop?: Crop; // of the thumbnail; default "center"
    background?: string; // #rrggbb under transparency; default white
    alpha?: "flatten" | "keep"; // keep: WebP instead of JPEG if there is transparency
    animation?: "keep" | "mp4" | "first-frame"; // keep: an animated WebP; mp4: for a GIF, a video in variants
    hashedKeys?: boolean; // keys that change with the content; browsers may cache them for ever
  };
}

export interface Variant {
  url: string;
  format: Format | "gif" | "mp4";
  width: number;
  height: number;
  bytes: number;
}

export interface ImageResult {
  compressedUrl: string; // at most 1920 x 1080 pixels
  thumbnailUrl: string; // at most 320 x 240 pixels, cropped to these proportions
  width: number; // of the compressed image
  height: number;
  bytes: number;
  format: Format | "gif";
  blurhash: string; // https://blurha.sh
  dominantColor: string; // #rrggbb
  animation: "kept" | "mp4" | "first-frame" | null; // null: not animated
  variants: Variant[]; // further formats and widths
}

export interface ProcessVideo extends Upload {
  options?: { hashedKeys?: boolean };
}

export interface VideoResult {
  url: string; // MP4: H.264, AAC
  posterUrl: string; // JPEG, at most 640 pixels wide
  duration: number; // seconds
  width: number;
  height: number;
  bytes: number;
  codec: "h264";
  audio: "aac" | null;
  truncated: boolean; // the upload ended before its stated duration
  remuxed: boolean; // every browser plays the upload, so it was not encoded again
  toneMapped: boolean; // it was HDR
  soundDropped: boolean; // its sound could not be decoded; audio is null
}

export interface OptimizeAvatar {
  userId: string | number;
  filePath: string;
  options?: {
    sizes?: number[]; // 16 to 2048 pixels; default AVATAR_SIZES
    formats?: ("webp" | "jpeg")[];
    crop?: Crop; // default "top"
    background?: string;
    quality?: number; // default 80
    animation?: "first-frame" | "keep"; // keep: WebP outputs of an animation stay animated
  };
}

export interface AvatarResult {
  urls: Record<string, Partial<Record<"webp" | "jpeg", string>>>; // urls["64"].webp
  blurhash: string;
  dominantColor: string;
  animation: "kept" | "first-frame" | null;
}

export type ProcessFile = Upload &
  (
    | { operation: "resize"; options?: { width?: number; height?: number; format?: Format; quality?: number } }
    | { operation: "compress"; options?: { format?: Format; quality?: number } }
    | { operation: "convert"; options: { format: Format; quality?: number } }
    | { operation: "extract_text"; options?: { maxCharacters?: number; maxPages?: number; markdown?: boolean } }
  );

export interface ImageFileResult extends Variant {
  operation: "resize" | "compress" | "convert";
  animation: "kept" | "first-frame" | null;
}

export interface TextResult {
  operation: "extract_text";
  textUrl: string; // UTF-8
  kind: "pdf" | "docx" | "text" | "markdown";
  characters: number;
  pages: number | null; // of a PDF
  pagesWithoutText: number | null; // if it equals pages, the PDF is a scan
  truncated: boolean; // a limit cut the text
  bytes: number;
}

export interface DeadLetter {
  id: string;
  name: string;
  queue: string;
  wire: "bullmq" | "rq";
  data: unknown; // the payload, ready to be enqueued again
  attemptsMade: number;
  reason: string;
  stack: string;
  failedAt: number; // milliseconds since the epoch
}

/** Every job of the worker, by name. A team adds its own jobs by module augmentation. */
export interface Jobs {
  "push-notification": { queue: "push-notifications"; payload: PushNotification; result: PushResult };
  "push-batch": { queue: "push-notifications"; payload: PushBatch; result: PushResult };
  "process-image": { queue: "file-processing"; payload: ProcessImage; result: ImageResult };
  "process-video": { queue: "file-processing"; payload: ProcessVideo; result: VideoResult };
  "optimize-avatar": { queue: "file-processing"; payload: OptimizeAvatar; result: AvatarResult };
  "process-file": { queue: "file-processing"; payload: ProcessFile; result: ImageFileResult | TextResult };
}

/** The queue of each job: a table, for code that adds jobs by name. */
export const QUEUE_OF = {
  "push-notification": "push-notifications",
  "push-batch": "push-notifications",
  "process-image": "file-processing",
  "process-video": "file-processing",
  "optimize-avatar": "file-processing",
  "process-file": "file-processing",
} as const;
