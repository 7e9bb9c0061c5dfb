import type { UploadKind } from "../next/upload-kinds.js";
import type { JobRef } from "../status.js";

/** `fileId`: the id of the file's row; an avatar has none. `job`: what processes it. */
export interface Uploaded {
  fileId: string | number | null;
  job: JobRef;
}

/** What the route permits: a form with `fields` and the file, or the file alone with `headers`. */
interface Permission {
  key: string;
  url: string;
  method: string;
  fields?: Record<string, string>;
  headers?: Record<string, string>;
}

const PATIENCE = 30_000; // milliseconds
const PAUSE = 3000;

/** Ask `route` for permission, send the file to the bucket, and tell `route` that it is there. Progress is 0 to 1. */
export async function sendFile(
  route: string,
  file: File,
  kind: UploadKind,
  onProgress: (part: number) => void,
  signal: AbortSignal,
): Promise<Uploaded> {
  const { type, size, name } = file;
  const permission = await ask<Permission>(route, "POST", { kind, type, size }, signal);
  await store(file, permission, onProgress, signal);
  return ask(route, "PUT", { key: permission.key, kind, name }, signal, PATIENCE);
}

/**
 * For `patience` milliseconds the app is asked again if it did not answer or had a fault of its own (5xx): a file that is
 * stored must not be lost with one connection, or because Redis is away.
 */
async function ask<Answer>(
  route: string,
  method: string,
  body: object,
  signal: AbortSignal,
  patience = 0,
): Promise<Answer> {
  const until = Date.now() + patience;
  for (;;) {
    const response = await fetch(route, {
      method,
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      signal,
    }).catch(() => {});
    const answer = await response?.json().catch(() => {});
    signal.throwIfAborted();
    if (answer && response?.ok) return answer;
    const { status = 500 } = response ?? {};
    if (status < 500 || Date.now() >= until)
      throw new Error(answer?.error ?? `the app answered ${response ? status : "nothing"}`);
    await new Promise((resolve) => {
      signal.onabort = resolve;
      setTimeout(resolve, PAUSE);
    });
  }
}

/** XMLHttpRequest, because fetch does not tell how much was sent. */
function store(file: File, to: Permission, onProgress: (part: number) => void, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const request = new XMLHttpRequest();
    request.open(to.method, to.url);
    for (const [name, value] of Object.entries(to.headers ?? {})) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => onProgress(total ? loaded / total : 0);
    request.onload = () =>
      request.status < 300 ? resolve() : reject(new Error(`the bucket refused the file (${request.status})`));
    request.onerror = () => reject(new Error("the bucket can't be reached, or its CORS rules do not allow this page"));
    request.onabort = () => reject(signal.reason);
    signal.addEventListener("abort", () => request.abort());
    request.send(to.fields ? form(to.fields, file) : file);
  });
}

function form(fields: Record<string, string>, file: File): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.append(name, value);
  data.append("file", file); // S3 reads no field after it
  return data;
}
