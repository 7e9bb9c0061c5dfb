import type { JobEvent, JobRef, JobSource, JobStatus } from "../status.js";
import { answering, json, refuse } from "./answer.js";
import { eventStream, type Send } from "./event-stream.js";
import { signedIn, type UserId } from "./session.js";

export interface JobRouteOptions {
  /** Where jobs are looked up: a QueueService of `pushmill/bullmq`, or a client of `pushmill/http`. */
  source: JobSource;
  userId: UserId;
}

export interface JobContext {
  params: Promise<{ queue: string; id: string }>;
}

/** What the browser learns of a job: never its payload. */
export type PublicJob = Omit<JobStatus, "data">;

const LONGEST = 500; // characters of an id

/**
 * The handler for `app/api/jobs/[queue]/[id]/route.ts`: a job's progress and end as server-sent events, or with
 * `Accept: application/json` the job as it is. Only for jobs whose payload has the session's `userId`: 401 without a
 * session, 404 for any other job. The answer lasts five minutes at most, then the browser comes back by itself.
 *
 *     export const { GET } = jobRoute({ source: queues, userId: async () => (await auth())?.user?.id ?? null });
 */
export function jobRoute(options: JobRouteOptions) {
  const GET = (request: Request, context: JobContext): Promise<Response> =>
    answering((it) => answer(options, it, context))(request);
  return { GET };
}

async function answer({ source, userId }: JobRouteOptions, request: Request, context: JobContext): Promise<Response> {
  const user = await signedIn(request, userId);
  const { queue, id } = await context.params;
  const ref = { queue: plain(queue), id: plain(id) };
  const job = ref.id.length > LONGEST || ref.queue.length > LONGEST ? null : await source.status(ref);
  if (!job || ownerOf(job) !== String(user)) refuse(404, "there is no such job");
  if (request.headers.get("accept")?.includes("application/json")) return json(publicJob(job));
  const last = request.headers.get("last-event-id");
  const isEnded = job.state === "completed" || job.state === "failed";
  if (isEnded && last === fingerprint(job)) return new Response(null, { status: 204 }); // do not come back
  return eventStream(request.signal, (send, signal) => follow(source, ref, last, send, signal));
}

/** A part of the path; Next.js may leave it encoded. */
function plain(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Whose job it is, as text; null: nobody's, such as a batch's. */
function ownerOf({ data }: JobStatus): string | null {
  const { userId } = Object(data);
  return typeof userId === "string" || typeof userId === "number" ? String(userId) : null;
}

function publicJob({ id, queue, name, state, progress, result, reason }: JobStatus): PublicJob {
  const seen = { id, queue, name, state, progress };
  if (state === "completed") return { ...seen, result };
  return state === "failed" ? { ...seen, reason: reason ?? state } : seen;
}

/** A short text that changes with what the browser sees of a job (FNV-1a). */
function fingerprint({ state, progress }: JobStatus): string {
  let hash = 0x811c9dc5;
  for (const char of JSON.stringify([state, progress])) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  return (hash >>> 0).toString(16);
}

function text(event: JobEvent): string {
  if (event.type === "gone") return "event: gone\ndata: {}\n\n";
  return `id: ${fingerprint(event.job)}\nevent: ${event.type}\ndata: ${JSON.stringify(publicJob(event.job))}\n\n`;
}

async function follow(source: JobSource, ref: JobRef, last: string | null, send: Send, signal: AbortSignal) {
  try {
    for await (const event of source.events(ref, { signal })) {
      if (event.type === "gone" || fingerprint(event.job) !== last) send(text(event));
    }
  } catch (error) {
    // The browser comes back, and then gets the reason if it is still so.
    console.error(`pushmill: the events of job ${ref.id} broke off: ${error instanceof Error ? error.message : error}`);
  }
}
