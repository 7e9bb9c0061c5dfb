import { answering, json, refuse } from "./answer.js";
import { type Fields, readJson } from "./body.js";
import { type About, type Choice, type Preference, type PreferenceModel, preferenceTable } from "./preference-table.js";
import { signedIn, type UserId } from "./session.js";

export type { Preference } from "./preference-table.js";

export interface PreferenceRoutesOptions {
  /** The app's Prisma client, whose model `NotificationPreference` is that of `models.prisma`. */
  prisma: { notificationPreference: PreferenceModel };
  userId: UserId;
}

/** The answer of GET and PATCH. */
export interface Preferences {
  preferences: Preference[];
}

type Handler = (request: Request) => Promise<Response>;

const MAX_BYTES = 2048;
const CHANNELS: readonly unknown[] = ["*", "push", "email", "in-app"] satisfies About["channel"][];
const TYPE = /^[^\p{C}]{1,100}$/u;
const TIME = /^(?:(?:[01]\d|2[0-3]):[0-5]\d|24:00)$/;
const ZONE = /^[A-Za-z][\w+/-]{0,63}$/; // a name: the worker does not read an offset such as +01:00

/**
 * The handlers of `app/api/preferences/route.ts`: what the user wants to receive, and the quiet hours.
 *
 * - GET: `{preferences}`, all rows of the user.
 * - PATCH `{channel?, type?, enabled?, quietFrom?, quietTo?, timeZone?}`: the user's row for that channel and type (`*`
 *   if left out) says this from now on; what is left out stays. Returns `{preferences}`. A user has at most 100 rows.
 *
 * Refusals are `{error}`: 401 without a session, 403 from another site, 413, 415, 400 and 422 for bodies that are no
 * such thing.
 */
export function preferenceRoutes(options: PreferenceRoutesOptions): { GET: Handler; PATCH: Handler } {
  const rows = preferenceTable(options.prisma.notificationPreference);

  return {
    GET: answering(async (request) => {
      const user = await signedIn(request, options.userId);
      return json({ preferences: await rows.list(user) } satisfies Preferences);
    }),

    PATCH: answering(async (request) => {
      const user = await signedIn(request, options.userId);
      const body = await readJson(request, MAX_BYTES);
      const isSaved = await rows.save(user, readAbout(body), readChoice(body));
      if (!isSaved) refuse(422, "this user has too many preferences");
      return json({ preferences: await rows.list(user) } satisfies Preferences);
    }),
  };
}

function readAbout({ channel = "*", type = "*" }: Fields): About {
  if (!CHANNELS.includes(channel)) return refuse(422, "channel is none of push, email, in-app and *");
  if (typeof type !== "string" || !TYPE.test(type)) return refuse(422, "type is no word of at most 100 characters");
  return { channel: channel as About["channel"], type };
}

function readChoice({ enabled, quietFrom, quietTo, timeZone }: Fields): Partial<Choice> {
  const choice: Partial<Choice> = {
    ...(enabled !== undefined && { enabled: readSwitch(enabled) }),
    ...((quietFrom !== undefined || quietTo !== undefined) && readHours(quietFrom, quietTo)),
    ...(timeZone !== undefined && { timeZone: readZone(timeZone) }),
  };
  return Object.keys(choice).length > 0 ? choice : refuse(422, "it has neither enabled nor quiet hours nor timeZone");
}

function readSwitch(enabled: unknown): boolean {
  return typeof enabled === "boolean" ? enabled : refuse(422, "enabled is neither true nor false");
}

function readHours(quietFrom: unknown, quietTo: unknown): Pick<Choice, "quietFrom" | "quietTo"> {
  if (quietFrom === null && quietTo === null) return { quietFrom, quietTo };
  if (isTime(quietFrom) && isTime(quietTo)) return { quietFrom, quietTo };
  return refuse(422, "quietFrom and quietTo are not two times such as 22:00, and not both null");
}

const isTime = (value: unknown): value is string => typeof value === "string" && TIME.test(value);

/** In the spelling of the database of time zones, which the worker's machine may need. */
function readZone(timeZone: unknown): string | null {
  if (timeZone === null) return null;
  if (typeof timeZone === "string" && ZONE.test(timeZone)) {
    try {
      return new Intl.DateTimeFormat("en", { timeZone }).resolvedOptions().timeZone;
    } catch {} // a RangeError: there is no such zone
  }
  return refuse(422, "timeZone is no time zone such as Europe/Berlin");
}
