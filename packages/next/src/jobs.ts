// Generated from the worker's models: `python -m scripts.typescript_types --write`.

/** A notification, and how it is to be sent. */
export interface Push {
  /** a text is the JSON of one */
  payload: Notification | DeclarativeNotification | string;
  /** texts by locale, as of de or pt-BR; payload is for all other people */
  payloads?: Record<string, Notification | DeclarativeNotification | string>;
  options?: PushBatchOptions;
}

/** What the app's service worker receives. Fields of other names are passed on unchanged. */
export interface Notification {
  title: string | number;
  /** shortened if the whole is too long */
  body?: string | number;
  /** http, https or relative */
  url?: string;
  /** what Declarative Web Push calls url */
  navigate?: string;
  icon?: string;
  /** an image; a number sets the app's badge if there is no app_badge */
  badge?: string | number;
  image?: string;
  tag?: string | number;
  actions?: Action[];
  data?: unknown;
  silent?: boolean;
  requireInteraction?: boolean;
  /** Declarative Web Push: also wake the service worker */
  mutable?: boolean;
  /** Declarative Web Push: 0 to 2,147,483,647 */
  app_badge?: number | string;
  [more: string]: unknown;
}

/** A button on the notification. */
export interface Action {
  action: string | number;
  title: string | number;
  icon?: string;
}

export interface DeclarativeNotification {
  web_push: 8030;
  notification: Notification & { navigate: string };
  mutable?: boolean;
  app_badge?: number | string;
  [more: string]: unknown;
}

/** How the message is to be sent. An unknown name fails the job. */
export interface PushBatchOptions {
  /** seconds, at most 2,419,200 (4 weeks); 0: only if the device is online; default 86,400 */
  ttl?: number;
  /** default "normal" */
  urgency?: Urgency;
  /** replaces an undelivered message of the same topic */
  topic?: string | number;
  /** milliseconds as of Date.now(), or an ISO date with its zone: wait until then */
  notBefore?: number | string;
  /** the same forms: do not send after this */
  expiresAt?: number | string;
  /** only subscriptions whose columns have these values, or one of a list: of PUSH_WHERE_COLUMNS */
  where?: Record<string, string | number | boolean | null | (string | number | boolean | null)[]>;
  /** not to the subscription with this endpoint, such as the sender's own device */
  excludeEndpoint?: string;
  /** cancelling this key takes the message back while it is not sent */
  cancelKey?: string | number;
  /** what kind of message it is, in the words of the users' preferences */
  type?: string | number;
  /** in the user's quiet hours: wait until they end, or drop it; urgency high passes; default "wait" */
  quiet?: Quiet;
  /** @deprecated ttl, as the web-push package calls it */
  TTL?: number;
}

/** How soon a device should be woken (RFC 8030, section 5.3). */
export type Urgency = "very-low" | "low" | "normal" | "high";

/** What becomes of a message in quiet hours. */
export type Quiet = "wait" | "drop";

/** `push-notification`: one notification for all devices of a user. `userId` may be a number. */
export interface PushNotification extends Push {
  options?: PushOptions;
  userId: string | number;
}

/** How a message to one user is to be sent. */
export interface PushOptions extends PushBatchOptions {
  /** one message for several events */
  collapse?: Collapse;
}

/** Which events become one message, and what that says. */
export interface Collapse {
  /** events with the same key, for the same user */
  key: string | number;
  /** seconds from the first event until the message is sent; at most 86,400 */
  window: number;
  /**
   * for two or more: a text (the body; of a mail the subject), or fields that replace the newest event's; {{count}} is
   * their number
   */
  template: string | Record<string, unknown>;
}

/** What became of each subscription. */
export interface PushResult {
  /** the push service accepted it */
  sent: number;
  /** refused, never answered, or a row that can't be used (origins says why); the row is kept */
  failed: number;
  /** gone: the row is deleted or switched off */
  pruned: number;
  /** left to follow-up jobs */
  retrying: number;
  /** settled by an earlier run of the job, a second row of the same endpoint, or excludeEndpoint */
  skipped: number;
  /** not sent before ttl or expiresAt was over */
  expired: number;
  /** the user does not want it: by a preference, or in quiet hours with quiet: drop */
  muted: number;
  /** left to follow-up jobs that run when the user's quiet hours end */
  waiting: number;
  /** the sum of these */
  total: number;
  /** with options.collapse: for how many events its message is; 0: another job sends it */
  collapsed: number | null;
  /** its cancelKey was cancelled before it had sent to all */
  cancelled: boolean;
  /** ids of at most 100 follow-up jobs, in the same queue */
  followUps: string[];
  /** at most 20 fields of the job that the worker does not know */
  ignored: string[];
  /** push service -> sent, gone, unreadableKeys, ... -> count; at most 50 services, and other */
  origins: Record<string, Record<string, number>>;
}

/** `push-batch`: one notification for many users, or for all of them. */
export type PushBatch = Push & (
  | {
      /** 1 to 100,000 of them */
      userIds: (string | number)[];
      all?: never;
    }
  | {
      all: true;
      userIds?: never;
    }
);

/** An upload, and the row of the app's file table that it belongs to. */
export interface Upload {
  /** letters, digits, _ and - */
  fileId: string | number;
  /** a storage key: no URL, no leading slash */
  filePath: string;
  userId: string | number;
}

/** `process-image`: smaller images of an upload, for all browsers. */
export interface ProcessImage extends Upload {
  options?: ImageOptions;
}

/** How images are made. */
export interface ImageOptions {
  /** the first is that of compressedUrl; 1 to 3 of them; default ["jpeg"] */
  formats?: Format[];
  /** 1 to 95; default 85 */
  quality?: number;
  progressive?: boolean;
  /** further images of these widths, 16 to 4,096 pixels; at most 8 of them */
  widths?: number[];
  /** what the thumbnail shows; top: the upper third; entropy: the busiest part; default "center" */
  crop?: Crop;
  /** #rrggbb under transparency; default "#ffffff" */
  background?: string;
  /** keep: WebP instead of JPEG if there is transparency; default "flatten" */
  alpha?: "flatten" | "keep";
  /** keep: an animated WebP; mp4: for a GIF, a video in variants; default "keep" */
  animation?: "keep" | "mp4" | "first-frame";
  /** keys that change with the content; browsers may cache them for ever */
  hashedKeys?: boolean;
}

export type Format = "jpeg" | "webp" | "avif" | "png";

export type Crop = "center" | "top" | "entropy";

/** Where the images are. URLs expire if the store signs them. */
export interface ImageResult {
  /** at most 1920 x 1080 pixels */
  compressedUrl: string;
  /** at most 320 x 240 pixels, cropped to these proportions */
  thumbnailUrl: string;
  /** of the compressed image */
  width: number;
  height: number;
  bytes: number;
  format: ImageFormat;
  /** https://blurha.sh */
  blurhash: string;
  /** #rrggbb */
  dominantColor: string;
  /** null: the upload was not animated */
  animation: "kept" | "first-frame" | "mp4" | null;
  /** further formats and widths, and the video */
  variants: Variant[];
}

export type ImageFormat = "jpeg" | "webp" | "avif" | "png" | "gif";

/** One file. Sides are in pixels. */
export interface Variant {
  url: string;
  format: ImageFormat | "mp4";
  width: number;
  height: number;
  bytes: number;
}

/** `process-video`: an upload becomes a video that all browsers play, and its poster. */
export interface ProcessVideo extends Upload {
  options?: VideoOptions;
}

/** How videos are made. */
export interface VideoOptions {
  /** as for images */
  hashedKeys?: boolean;
}

/** Where the video and its poster are. */
export interface VideoResult {
  /** MP4: H.264, AAC */
  url: string;
  /** JPEG, at most 640 pixels wide */
  posterUrl: string;
  /** seconds */
  duration: number;
  width: number;
  height: number;
  bytes: number;
  codec: "h264";
  audio: "aac" | null;
  /** the upload ended before its stated duration */
  truncated: boolean;
  /** every browser plays the upload, so it was not encoded again */
  remuxed: boolean;
  /** it was HDR */
  toneMapped: boolean;
  /** its sound could not be decoded; audio is null */
  soundDropped: boolean;
}

/** `optimize-avatar`: an upload becomes the user's avatar, in several sizes. */
export interface OptimizeAvatar {
  userId: string | number;
  /** a storage key: no URL, no leading slash */
  filePath: string;
  options?: AvatarOptions;
}

/** How avatars are made. */
export interface AvatarOptions {
  /** 16 to 2,048 pixels; default AVATAR_SIZES; 1 to 10 of them */
  sizes?: number[];
  /** 1 to 2 of them; default ["webp", "jpeg"] */
  formats?: ("webp" | "jpeg")[];
  /** default "top" */
  crop?: Crop;
  /** #rrggbb under transparency; default "#ffffff" */
  background?: string;
  /** 1 to 95; default 80 */
  quality?: number;
  /** keep: WebP outputs of an animation stay animated; default "first-frame" */
  animation?: "first-frame" | "keep";
}

/** Where the images are. */
export interface AvatarResult {
  /** by size and format: urls["64"]?.webp */
  urls: Record<string, Partial<Record<"webp" | "jpeg", string>>>;
  blurhash: string;
  dominantColor: string;
  animation: "kept" | "first-frame" | null;
}

/** `process-file`: `operation` says what is to be done. */
export type ProcessFile = ResizeFile | CompressFile | ConvertFile | ExtractText;

/** Make an image smaller in pixels. */
export interface ResizeFile extends Upload {
  operation: "resize";
  options?: ResizeOptions;
}

/** `resize`: fit inside `width` and `height` pixels (either may be omitted). Nothing is enlarged. */
export interface ResizeOptions {
  /** 16 to 4,096; default 4,096 */
  width?: number;
  /** 16 to 4,096; default 4,096 */
  height?: number;
  /** default "jpeg" */
  format?: Format;
  /** 1 to 95; default 85 */
  quality?: number;
}

/** Make an image smaller in bytes. */
export interface CompressFile extends Upload {
  operation: "compress";
  options?: CompressOptions;
}

/** `compress`: the same pixels in fewer bytes. */
export interface CompressOptions {
  /** default "jpeg" */
  format?: Format;
  /** 1 to 95; default 75 */
  quality?: number;
}

/** Convert an image to another format. */
export interface ConvertFile extends Upload {
  operation: "convert";
  options: ConvertOptions;
}

/** `convert`: another format. */
export interface ConvertOptions {
  format: Format;
  /** 1 to 95; default 90 */
  quality?: number;
}

/** Extract the text of a document. */
export interface ExtractText extends Upload {
  operation: "extract_text";
  options?: ExtractOptions;
}

/** `extract_text`: how much text, and of what. */
export interface ExtractOptions {
  /** 1 to 5,000,000; default 1,000,000 */
  maxCharacters?: number;
  /** 1 to 2,000; default 500 */
  maxPages?: number;
  /** the upload is Markdown, which can't be told from plain text */
  markdown?: boolean;
}

/** `process-file`: what its `operation` made. */
export type FileResult = ImageFileResult | TextResult;

/** The image that `resize`, `compress` or `convert` made. Sides are in pixels. */
export interface ImageFileResult {
  url: string;
  format: ImageFormat;
  width: number;
  height: number;
  bytes: number;
  operation: "resize" | "compress" | "convert";
  animation: "kept" | "first-frame" | null;
}

/** Where the text of a document is. */
export interface TextResult {
  operation: "extract_text";
  /** UTF-8 */
  textUrl: string;
  kind: "pdf" | "docx" | "text" | "markdown";
  characters: number;
  /** of a PDF: those that were read */
  pages: number | null;
  /** scans, blank or damaged ones; if it equals pages, the PDF is a scan */
  pagesWithoutText: number | null;
  /** a limit cut the text */
  truncated: boolean;
  bytes: number;
}

/** A mail. One string is one address, so that what a user typed never becomes a list; several go into an array. */
export interface Email {
  to: string | Mailbox | (string | Mailbox)[];
  /** required, unless the template has one */
  subject?: string | number;
  html?: string | number;
  /** the same as html */
  body?: string | number;
  /** in place of html: the name of a template in EMAIL_TEMPLATES */
  template?: string;
  /** what the template shows; plain values, which are escaped */
  variables?: Record<string, unknown>;
  /** of the template: de-AT takes welcome.de-AT.html, welcome.de.html or welcome.html */
  locale?: string;
  /** default: made from the html, with its links */
  text?: string | number;
  /** default: MAIL_FROM */
  from?: string | Mailbox;
  /** who gets the answers */
  replyTo?: string | Mailbox | (string | Mailbox)[];
  cc?: string | Mailbox | (string | Mailbox)[];
  bcc?: string | Mailbox | (string | Mailbox)[];
  /** whose preferences and quiet hours count */
  userId?: string | number;
  /** what kind of mail it is, in the words of the users' preferences */
  type?: string | number;
  /** in quiet hours of userId: wait until they end, or drop it; default "wait" */
  quiet?: Quiet;
  /** at most 20 of them */
  attachments?: Attachment[];
  /** further headers, whose names begin with X- */
  headers?: Record<string, string | number>;
  /** https: mailboxes show a button that posts to it (RFC 8058) */
  unsubscribeUrl?: string;
  /** jobs with the same key send one mail within 24 hours */
  idempotencyKey?: string | number;
  /** cancelling this key takes the mail back while it is not sent */
  cancelKey?: string | number;
  /** milliseconds as of Date.now(), or an ISO date with its zone: do not send after this */
  expiresAt?: number | string;
  /** one mail for several events to the same recipients */
  collapse?: Collapse;
}

/** Somebody's address, and the name beside it. */
export interface Mailbox {
  name?: string | number;
  address: string;
}

/** An object of the store that goes with the mail. */
export interface Attachment {
  /** a storage key: no URL, no leading slash */
  path: string;
  /** default: the last part of path */
  filename?: string | number;
  /** default: what its bytes and its name say */
  contentType?: string;
  /** an image within the html: <img src="cid:..."> */
  cid?: string;
}

/** What became of a mail. */
export interface EmailResult {
  /** the Message-ID, the same in each attempt */
  messageId: string;
  /** the addresses that the server took the mail for */
  accepted: string[];
  rejected: Rejection[];
  /** the server's answer to the mail */
  response: string;
  attempts: number;
  /** the addresses that EmailSuppression names: none was sent there */
  suppressed: string[];
  /** why nothing was sent */
  skipped: "already sent" | "expired" | "cancelled" | "suppressed" | "muted" | "collapsed" | null;
  /** with collapse: for how many events its mail is; 0: another job sends it */
  collapsed: number | null;
}

/** A recipient whom the server refused, for good or to the last attempt. */
export interface Rejection {
  address: string;
  /** SMTP's, such as 550; 0 without an answer of the server's */
  code: number;
  /** RFC 3463's, such as 5.1.1, or empty */
  enhanced: string;
  message: string;
}

/** `user-notification`: what one user, or each of several, is told. */
export type UserNotification = (
  | {
      userId: string | number;
      title: string | number;
      body?: string | number;
      /** info, success, warning, error, or the app's own word; default "info" */
      type?: string | number;
      /** http, https or relative */
      url?: string | number;
      /** the app's own: stored as it is */
      metadata?: Record<string, unknown>;
      /**
       * `in-app`: a row and a live message; `realtime`: the live message alone; `push`; `email`; at least 1 of them;
       * default ["in-app"]
       */
      channels?: Channel[];
      /** a user who has not read a notification with this key is not told again */
      dedupeKey?: string | number;
      /** cancelling this key takes it back while it waits, and its push and e-mail as well */
      cancelKey?: string | number;
      /** where userId gets the e-mail */
      email?: string | number;
      /** one notification for several events, with its push and e-mail */
      collapse?: Collapse;
      userIds?: never;
    }
  | {
      /** 1 to 10,000 of them */
      userIds: (string | number)[];
      title: string | number;
      body?: string | number;
      /** info, success, warning, error, or the app's own word; default "info" */
      type?: string | number;
      /** http, https or relative */
      url?: string | number;
      /** the app's own: stored as it is */
      metadata?: Record<string, unknown>;
      /**
       * `in-app`: a row and a live message; `realtime`: the live message alone; `push`; `email`; at least 1 of them;
       * default ["in-app"]
       */
      channels?: Channel[];
      /** a user who has not read a notification with this key is not told again */
      dedupeKey?: string | number;
      /** cancelling this key takes it back while it waits, and its push and e-mail as well */
      cancelKey?: string | number;
      userId?: never;
      email?: never;
      collapse?: never;
    }
);

/** A way on which a user is told. */
export type Channel = "in-app" | "realtime" | "push" | "email";

/** What became of a notification. */
export interface NotificationResult {
  /** the row's, for one userId */
  id: string | null;
  /** rows that this job has added */
  created: number;
  /** users who have an unread notification with the same dedupeKey */
  duplicates: number;
  /** users that the database does not know */
  unknown: number;
  /** users who do not want it in the app: PREFERENCE_TABLE says so */
  muted: number;
  /** users of whom a client heard the live message */
  published: number;
  /** id of the job in push-notifications */
  push: string | null;
  /** id of the job in email; with userIds, of the first one */
  email: string | null;
  /** jobs in email */
  emails: number;
  /** its cancelKey was cancelled before all were told */
  cancelled: boolean;
  /** users who get no e-mail, for want of an address */
  withoutAddress: number;
  /** with collapse: for how many events it is; 0: another job tells the user */
  collapsed: number | null;
}

/** `index_doc`: a row has changed. */
export interface IndexDoc {
  /** the view search_<entity> has its rows */
  entity: string;
  id: string | number;
  /** default "upsert" */
  action?: "upsert" | "delete";
  /** of the document, or of a delete; a row brings its own; 0 to 9,223,372,036,854,775,807 */
  version?: number;
  /** in place of the row, as it is */
  document?: Record<string, unknown>;
}

/** What became of a document. */
export interface IndexResult {
  index: string;
  id: string;
  /** stale: the index has a newer version; missing: there was none to delete */
  result: "indexed" | "deleted" | "stale" | "missing";
}

/** `backfill`: all rows of an entity, or those that were changed in a span. */
export interface Backfill {
  /** the view search_<entity> has its rows */
  entity: string;
  /** only rows whose updatedAt is not before it */
  from?: number | string;
  /** only rows whose updatedAt is before it */
  to?: number | string;
  /** 1 to 500; default 500 */
  pageSize?: number;
  /** fill a new index, and let it take the place of the old one */
  rebuild?: boolean;
}

/** What a backfill has done. */
export interface BackfillResult {
  index: string;
  indexed: number;
  /** rows that the engine refused, or that are too large */
  failed: number;
  pages: number;
  /** of its runs, without the waits between them */
  seconds: number;
  /** the first 100 */
  failedIds: string[];
}

/** `data-export`: the rows of a view as a file. */
export interface DataExport {
  exportType: "csv" | "json" | "jsonl" | "xlsx";
  /** the view export_<name> has the rows; default: the only view there is */
  name?: string;
  /** required if the view has a column userId: whose rows they are */
  userId?: string | number;
  /** column -> value, one of several, or bounds; a row meets all of them */
  filters?: Record<string, string | number | boolean | null | (string | number | boolean | null)[] | ExportBounds>;
  /** in this order; default: all of the view; 1 to 1,600 of them */
  columns?: string[];
  /** of csv, json and jsonl */
  gzip?: boolean;
  /** csv begins with the mark by which Excel knows UTF-8; default true */
  bom?: boolean;
  /** in csv, ' stands before a text that a spreadsheet takes for a formula; default true */
  escapeFormulas?: boolean;
  /** what browsers call the file; default: name and format */
  filename?: string | number;
  /** tell userId when the file is there */
  notify?: ("email" | "push" | "in-app")[];
  /** where userId gets the e-mail; default: what NOTIFICATION_USER_TABLE has */
  email?: string | number;
}

export interface ExportBounds {
  gte?: string | number;
  gt?: string | number;
  lte?: string | number;
  lt?: string | number;
}

/** Where the file is. */
export interface ExportResult {
  /** signed, if the store signs links */
  url: string;
  /** the storage key */
  key: string;
  rows: number;
  bytes: number;
  /** of an xlsx */
  sheets: number | null;
  /** of an xlsx: texts of more than 32,767 characters, which no cell holds; each says that it is cut */
  cutCells: number | null;
  /** when the link expires: an ISO date; null: it does not */
  expiresAt: string | null;
  /** of the file, in hex */
  sha256: string;
  /** no export leaves rows out */
  truncated: false;
}

/** `cache-warm`: a value is made before anybody asks for it. */
export interface CacheWarm {
  /** begins with CACHE_PREFIX */
  cacheKey: string;
  /** `view:<name>` (the view cache_<name>), `app:<path>` (of the app) or `own:<name>` (a function) */
  dataSource: string;
  /** seconds, of which 10 % are chance; 1 to 2,592,000; default 3,600 */
  ttl?: number;
  /** for the app's query, or for the function */
  params?: Record<string, unknown>;
}

/** What is in the cache now. */
export interface CacheWarmResult {
  cacheKey: string;
  bytes: number;
  /** seconds that are left */
  ttl: number;
  source: string;
  /** the value is as it was, or another job has made it meanwhile */
  unchanged: boolean;
}

/** `cleanup`: delete what is old. */
export interface Cleanup {
  targetType: "temp_files" | "old_logs" | "expired_sessions";
  /** milliseconds, an hour at least; 3,600,000 to 3,153,600,000,000 */
  olderThan: number;
  /** of temp_files: within CLEANUP_PREFIXES or CLEANUP_DIRS; not needed where those name one */
  path?: string;
  /** a glob for the names of temp_files; with a slash, for their paths below `path` */
  pattern?: string;
  /** delete nothing */
  dryRun?: boolean;
}

/** What was deleted. */
export interface CleanupResult {
  matched: number;
  deleted: number;
  /** of all that was deleted, or would be; 0 for rows */
  bytes: number;
  dryRun: boolean;
  /** the first 10: keys, or the times of rows */
  samples: string[];
  /** there is more; CLEANUP_MAX or the job's time was reached */
  truncated: boolean;
}

/** An entry of the queue `dead`: a job that failed for good. */
export interface DeadLetter {
  id: string;
  name: string;
  queue: string;
  wire: Wire;
  /** the payload, ready to be enqueued again */
  data: unknown;
  attemptsMade: number;
  reason: string;
  stack: string;
  /** milliseconds since the epoch */
  failedAt: number;
}

/** The format in which a job was enqueued. */
export type Wire = "bullmq" | "rq";

/** Every job of the worker, by name. A team's own jobs are added by a file that docs/own-jobs.md tells how to make. */
export interface Jobs {
  "push-notification": { queue: "push-notifications"; payload: PushNotification; result: PushResult };
  "push-batch": { queue: "push-notifications"; payload: PushBatch; result: PushResult };
  "process-image": { queue: "file-processing"; payload: ProcessImage; result: ImageResult };
  "process-video": { queue: "file-processing"; payload: ProcessVideo; result: VideoResult };
  "optimize-avatar": { queue: "file-processing"; payload: OptimizeAvatar; result: AvatarResult };
  "process-file": { queue: "file-processing"; payload: ProcessFile; result: FileResult };
  "FILE_PROCESS": { queue: "file-processing"; payload: ProcessFile; result: FileResult };
  "password_reset": { queue: "email"; payload: Email; result: EmailResult };
  "generic": { queue: "email"; payload: Email; result: EmailResult };
  "send-email": { queue: "email"; payload: Email; result: EmailResult };
  "EMAIL_SEND": { queue: "email"; payload: Email; result: EmailResult };
  "user-notification": { queue: "notifications"; payload: UserNotification; result: NotificationResult };
  "USER_NOTIFICATION": { queue: "notifications"; payload: UserNotification; result: NotificationResult };
  "index_doc": { queue: "search"; payload: IndexDoc; result: IndexResult };
  "backfill": { queue: "search"; payload: Backfill; result: BackfillResult };
  "data-export": { queue: "exports"; payload: DataExport; result: ExportResult };
  "DATA_EXPORT": { queue: "exports"; payload: DataExport; result: ExportResult };
  "cache-warm": { queue: "maintenance"; payload: CacheWarm; result: CacheWarmResult };
  "CACHE_WARM": { queue: "maintenance"; payload: CacheWarm; result: CacheWarmResult };
  "cleanup": { queue: "maintenance"; payload: Cleanup; result: CleanupResult };
  "CLEANUP": { queue: "maintenance"; payload: Cleanup; result: CleanupResult };
}

/** The queue of each job. */
export const QUEUE_OF = {
  "push-notification": "push-notifications",
  "push-batch": "push-notifications",
  "process-image": "file-processing",
  "process-video": "file-processing",
  "optimize-avatar": "file-processing",
  "process-file": "file-processing",
  "FILE_PROCESS": "file-processing",
  "password_reset": "email",
  "generic": "email",
  "send-email": "email",
  "EMAIL_SEND": "email",
  "user-notification": "notifications",
  "USER_NOTIFICATION": "notifications",
  "index_doc": "search",
  "backfill": "search",
  "data-export": "exports",
  "DATA_EXPORT": "exports",
  "cache-warm": "maintenance",
  "CACHE_WARM": "maintenance",
  "cleanup": "maintenance",
  "CLEANUP": "maintenance",
} as const;
