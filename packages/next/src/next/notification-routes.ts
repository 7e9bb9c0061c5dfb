import type { MessageSource } from "../status.js";
import { answering, json, refuse } from "./answer.js";
import { readJson } from "./body.js";
import { eventStream } from "./event-stream.js";
import { type AppNotification, type NotificationModel, notificationTable } from "./notification-table.js";
import { signedIn, type UserId } from "./session.js";

export type { AppNotification } from "./notification-table.js";

export interface NotificationRoutesOptions {
  /** The app's Prisma client, whose model `Notification` is that of `models.prisma`. */
  prisma: { notification: NotificationModel };
  userId: UserId;
  /** Where live messages come from: a QueueService. Without it pages look for news every half a minute. */
  source?: MessageSource;
}

/** The answer of GET. */
export interface Notifications {
  /** The 50 newest ones. */
  notifications: AppNotification[];
  /** How many the user has not read, of all. */
  unread: number;
}

type Handler = (request: Request) => Promise<Response>;
type Id = string | number;

const MAX_BYTES = 16_384; // 100 ids of 128 characters
const MAX_IDS = 100;
const ID = /^[\w-]{1,128}$/;

/**
 * The handlers of `app/api/notifications/route.ts`, for `useNotifications`.
 *
 * - GET: `{notifications, unread}`. With `Accept: text/event-stream` (an EventSource) each live message of the worker,
 *   `{id, type, title, unread}`, as an event `notification`; 204 without a source, 503 while Redis is away.
 * - PATCH `{ids}` or `{all: true}`: those that are the user's own are read. Returns `{unread}`.
 *
 * Refusals are `{error}`: 401 without a session, 403 from another site, 413, 415, 400 and 422 for bodies that are no
 * such thing.
 */
export function notificationRoutes(options: NotificationRoutesOptions): { GET: Handler; PATCH: Handler } {
  const rows = notificationTable(options.prisma.notification);

  return {
    GET: answering(async (request) => {
      const user = await signedIn(request, options.userId);
      if (request.headers.get("accept")?.includes("text/event-stream")) return live(options.source, user, request);
      const [notifications, unread] = await Promise.all([rows.list(user), rows.unread(user)]);
      return json({ notifications, unread } satisfies Notifications);
    }),

    PATCH: answering(async (request) => {
      const user = await signedIn(request, options.userId);
      const { ids, all } = await readJson(request, MAX_BYTES);
      await rows.read(user, all === true ? undefined : readIds(ids));
      return json({ unread: await rows.unread(user) });
    }),
  };
}

function readIds(ids: unknown): Id[] {
  const isId = (id: unknown) => (typeof id === "string" ? ID.test(id) : Number.isSafeInteger(id));
  if (Array.isArray(ids) && ids.length <= MAX_IDS && ids.every(isId)) return ids;
  return refuse(422, `ids is no list of at most ${MAX_IDS} ids of notifications`);
}

/** It listens before it answers, so that the list that a page reads then has all that was told before. */
async function live(source: MessageSource | undefined, user: Id, request: Request): Promise<Response> {
  if (!source) return new Response(null, { status: 204 }); // an EventSource does not come back then
  const told: (string | null)[] = [];
  let wake = () => {};
  const hear = (message: string | null) => {
    told.push(message);
    wake();
  };
  const leave = await source.listen(`notifications:${user}`, hear).catch((error) => {
    console.error(`pushmill: no live notifications: ${error instanceof Error ? error.message : error}`);
    return refuse(503, "live notifications are not available");
  });
  return eventStream(request.signal, async (send, signal) => {
    signal.addEventListener("abort", () => wake());
    while (!signal.aborted && !told.includes(null)) {
      for (const message of told.splice(0)) send(event(message));
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    leave();
  });
}

/** A message as an event; one that is no JSON is dropped, as it could have lines of its own. */
function event(message: string | null): string {
  try {
    return `event: notification\ndata: ${JSON.stringify(JSON.parse(message ?? ""))}\n\n`;
  } catch {
    return "";
  }
}
