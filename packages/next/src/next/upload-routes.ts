import { QUEUE_OF } from "../jobs.js";
import type { JobName } from "../status.js";
import { answering, json, RouteError, refuse } from "./answer.js";
import { type Fields, readJson } from "./body.js";
import { type FileModel, fileOf } from "./file-table.js";
import { signedIn, type UserId } from "./session.js";
import { signedForm, signedUrl } from "./sign.js";
import { type Bucket, findBucket, type StorageOptions } from "./storage.js";
import { uploadKey, uuidOf } from "./upload-key.js";
import { isKind, KINDS, type UploadJobs, type UploadKind } from "./upload-kinds.js";

const MAX_BYTES = 4096; // of a request's body
const UPLOAD_SECONDS = 3600; // how long a browser has to begin its upload
const LOOK_SECONDS = 60;
const LOOK_TIMEOUT = 10_000; // milliseconds
const MAX_NAME = 255; // characters
const RETRY_AFTER = 2; // seconds

/** A QueueService of `pushmill/bullmq`, or the client of `pushmill/http`. */
export type JobAdder = { add: AddJob["add"] } | { submit: AddJob["add"] };

interface AddJob {
  add(name: JobName, data: never, options?: { jobId?: string }): Promise<unknown>;
}

export interface UploadRoutesOptions {
  /** The app's Prisma client, whose model `File` is that of `models.prisma`. */
  prisma: { file: FileModel };
  queues: JobAdder;
  userId: UserId;
  storage?: StorageOptions;
  /** How browsers upload: "post" (default) or "put", for stores without form uploads, such as Cloudflare's R2. */
  method?: "post" | "put";
  /** Greatest size of each kind, in bytes. Default: the worker's limits. */
  maxBytes?: Partial<Record<UploadKind, number>>;
  /** Content types of each kind. Default: what the worker can read, without SVG. */
  types?: Partial<Record<UploadKind, readonly string[]>>;
  jobs?: UploadJobs;
}

type Handler = (request: Request) => Promise<Response>;

/**
 * The handlers of `app/api/uploads/route.ts`. The bytes go from the browser to the bucket, not through the app.
 *
 * - POST `{kind, type, size}`: 200 with `{key, url, method, fields}` or `{key, url, method, headers}`, the permission
 *   to store one object of this type and at most this size, within an hour, under a key that the server chose.
 * - PUT `{key, kind, name?}` when it is stored: makes the row of the file and adds the job. 201 with `{fileId, job}`;
 *   200 if it was asked for before; then the job is added only if the worker has not begun it. An avatar has no row: its
 *   `fileId` is null.
 *
 * Refusals are `{error}`: 401 without a session, 403 from another site or for another user's key, 409 if nothing is
 * stored under the key, 413, 415, 400 and 422 for what may not be uploaded, and 503 with Retry-After if the job can't be added now:
 * the same PUT adds it later. The handlers throw a TypeError if STORAGE_URL or the credentials are missing.
 */
export function uploadRoutes(options: UploadRoutesOptions): { POST: Handler; PUT: Handler } {
  return {
    POST: answering(async (request) => {
      const user = await signedIn(request, options.userId);
      const { kind, type, size } = readUpload(await readJson(request, MAX_BYTES));
      checkBounds(options, kind, type, size);
      const key = await uploadKey(user, crypto.randomUUID());
      return json({ key, ...(await permission(options, key, type, size)) });
    }),

    PUT: answering(async (request) => {
      const user = await signedIn(request, options.userId);
      const { key, kind, name } = readStored(await readJson(request, MAX_BYTES));
      const uuid = await uuidOf(key, user);
      if (uuid === null) return refuse(403, "the key is not one of this user's uploads");
      await checkObject(options, kind, key);
      const file = kind === "avatar" ? null : await fileOf(options.prisma.file, { userId: user, key, kind, name });
      const job = { id: `upload-${uuid}`, queue: QUEUE_OF[KINDS[kind].job] };
      if (!file?.isBegun) await addJob(options, kind, job.id, { ...file?.ref, filePath: key, userId: user });
      return json({ fileId: file?.ref.fileId ?? null, job }, file?.isNew === false ? 200 : 201);
    }),
  };
}

function readUpload({ kind, type, size }: Fields): { kind: UploadKind; type: string; size: number } {
  if (!isKind(kind)) return refuse(422, `kind is not one of ${Object.keys(KINDS).join(", ")}`);
  if (typeof type !== "string") return refuse(422, "type is not a text");
  if (typeof size !== "number" || !Number.isSafeInteger(size)) return refuse(422, "size is not a whole number");
  return { kind, type: plainType(type), size };
}

function readStored({ key, kind, name }: Fields): { key: string; kind: UploadKind; name: string | null } {
  if (!isKind(kind)) return refuse(422, `kind is not one of ${Object.keys(KINDS).join(", ")}`);
  if (typeof key !== "string") return refuse(422, "key is not a text");
  return { key, kind, name: readName(name) };
}

/** The last part of a file's name: it is shown to users, and never becomes a part of a path or a key. */
function readName(name: unknown): string | null {
  if (name === undefined || name === null) return null;
  if (typeof name !== "string" || /[\p{Cc}\p{Cs}]/u.test(name)) return refuse(422, "name is not a file's name");
  return Array.from(name.slice(Math.max(name.lastIndexOf("/"), name.lastIndexOf("\\")) + 1))
    .slice(0, MAX_NAME)
    .join("");
}

/** A content type without its parameters. */
function plainType(type: string): string {
  return type.split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

function checkBounds({ types, maxBytes }: UploadRoutesOptions, kind: UploadKind, type: string, size: number): void {
  const allowed: readonly string[] = types?.[kind] ?? KINDS[kind].types;
  if (!allowed.includes(type)) refuse(422, `a file of this type can't be uploaded as ${kind}: ${allowed.join(", ")}`);
  const most = maxBytes?.[kind] ?? KINDS[kind].maxBytes;
  if (size < 1 || size > most) refuse(422, `a file that is uploaded as ${kind} has 1 to ${most} bytes`);
}

async function permission({ storage, method }: UploadRoutesOptions, key: string, type: string, size: number) {
  const bucket = await findBucket(storage ?? {});
  const order = { key: inBucket(bucket, key), seconds: UPLOAD_SECONDS, now: new Date() };
  if (method === "put") {
    // The browser itself sets Content-Length: the store refuses a body of another size.
    const headers = { "content-length": String(size), "content-type": type };
    const url = await signedUrl(bucket, "PUT", order, headers);
    return { url, method: "PUT", headers: { "Content-Type": type } };
  }
  return { url: String(bucket.base), method: "POST", fields: await signedForm(bucket, order, type, size) };
}

function inBucket({ prefix }: Bucket, key: string): string {
  return prefix ? `${prefix}/${key}` : key;
}

/** See that the object is there and within the bounds of its kind, whatever the browser said of it before. */
async function checkObject(options: UploadRoutesOptions, kind: UploadKind, key: string): Promise<void> {
  const bucket = await findBucket(options.storage ?? {});
  const order = { key: inBucket(bucket, key), seconds: LOOK_SECONDS, now: new Date() };
  const url = await signedUrl(bucket, "HEAD", order);
  const { status, headers } = await fetch(url, {
    method: "HEAD",
    cache: "no-store",
    signal: AbortSignal.timeout(LOOK_TIMEOUT),
  });
  if (status === 404) refuse(409, "nothing is stored under this key");
  if (status !== 200) throw new Error(`the bucket ${bucket.name} answers ${status} to the question for an upload`);
  checkBounds(options, kind, plainType(headers.get("content-type") ?? ""), Number(headers.get("content-length")));
}

/**
 * Add the job of an upload. Its id is the upload's, so that there is one, however often it is asked for. Answers 503 if
 * the queue is away.
 */
async function addJob({ queues, jobs }: UploadRoutesOptions, kind: UploadKind, jobId: string, upload: object) {
  const name = KINDS[kind].job;
  const work = jobs?.[kind] ?? (kind === "file" ? { operation: "extract_text" } : {});
  const data = { ...work, ...upload } as never; // it fits `name`: both are of the same kind
  try {
    await ("add" in queues ? queues.add(name, data, { jobId }) : queues.submit(name, data, { jobId }));
  } catch (error) {
    if (!isOutage(error)) throw error;
    console.error(`pushmill: job ${jobId} can't be added now: ${error.message}`);
    const headers = { "Retry-After": String(Math.ceil(error.retryAfter ?? RETRY_AFTER)) };
    throw new RouteError(503, "the file is stored, but it can't be processed now", headers);
  }
}

/** Whether it is a RedisError of `pushmill/bullmq`, or a PushmillError of `pushmill/http` after which to try again. */
function isOutage(error: unknown): error is Error & { retryAfter?: number } {
  const { name, status, mayBeDone } = Object(error);
  if (name === "RedisError") return typeof mayBeDone === "boolean"; // ioredis has errors of this name, too
  return name === "PushmillError" && [0, 429, 503].includes(status);
}
