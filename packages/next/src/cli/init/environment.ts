import { redisUrlOf } from "../redis-url.js";
import type { App } from "./app.js";
import { appended, type Change } from "./changes.js";
import { variables } from "./dotenv.js";
import { isCommitted } from "./git.js";
import { nothing, type Part } from "./part.js";
import { type VapidKeys, vapidKeys } from "./vapid.js";

const FILE = ".env"; // the worker reads it, too, and no other
const PRIVATE = 0o600;
/** The contact if nobody names one: a worker starts with it. */
export const PLACEHOLDER = "you@example.com";

export interface Wishes {
  parts: readonly string[];
  /** The contact for push services: `mailto:` and an address, or an https URL. */
  subject: string;
  /** Whether the database is to be made: SQLite's file. */
  newDatabase: boolean;
  /** The tables of the app's own models, by the model's name. */
  tables: ReadonlyMap<string, string>;
}

/** The variables that app and worker lack, with fresh keys. A variable that is there keeps its value. */
export function environmentOf(app: App, wishes: Wishes): Part {
  const before = app.read(FILE);
  const there = variables(before ?? "");
  if (isCommitted(app.folder, FILE)) return { ...nothing(), byHand: committed(there) };
  const keys = wishes.parts.includes("push") ? keysFor(there, variables(app.read(".env.local") ?? "")) : null;
  // The app's code reads REDIS_URL alone, and the worker prefers it to REDIS_HOST.
  const redis = redisUrlOf((name) => there.get(name)) ?? "redis://127.0.0.1:6379";
  const lines = sections(before ?? "", wishes, keys, redis);
  const after = appended(before ?? "", lines.map((each) => `${each}\n`).join(""));
  const secrets = [keys?.privateKey ?? "", passwordIn(redis)].filter(Boolean);
  const change: Change = { path: FILE, before, after, secrets, mode: PRIVATE };
  return {
    ...nothing(),
    changes: lines.length > 0 ? [change] : [],
    byHand: [
      ...elsewhere(app, there, wishes),
      ...(wishes.parts.includes("push") ? keyFaults(there) : []),
      ...(lines.includes(line("VAPID_SUBJECT", `mailto:${PLACEHOLDER}`))
        ? [`${FILE}: in VAPID_SUBJECT write your address in place of ${PLACEHOLDER}: push services write to it`]
        : []),
    ],
  };
}

function committed(there: Map<string, string>): string[] {
  const remove = `git rm --cached ${FILE}, name it in .gitignore`;
  return there.has("VAPID_PRIVATE_KEY")
    ? [`${FILE} is in git, with VAPID_PRIVATE_KEY: ${remove}, and make new keys`]
    : [`${FILE} is in git, so nothing was written into it: ${remove}, and start again`];
}

/** A new pair if the app has none. null: it has half of one, or one that has to be moved first. */
function keysFor(there: Map<string, string>, local: Map<string, string>): VapidKeys | null {
  const [publicKey, privateKey] = [there.get("VAPID_PUBLIC_KEY"), there.get("VAPID_PRIVATE_KEY")];
  if (publicKey && privateKey) return { publicKey, privateKey };
  const names = ["VAPID_PUBLIC_KEY", "VAPID_PRIVATE_KEY", "NEXT_PUBLIC_VAPID_PUBLIC_KEY"];
  return names.some((name) => there.has(name) || local.has(name)) ? null : vapidKeys();
}

/** What the worker would not find, because it reads only this file. */
function elsewhere(app: App, there: Map<string, string>, { newDatabase }: Wishes): string[] {
  const local = variables(app.read(".env.local") ?? "");
  const moved = ["VAPID_PRIVATE_KEY", "REDIS_URL", "DATABASE_URL"].filter(
    (name) => local.has(name) && !there.has(name),
  );
  const faults = moved.map((name) => `${name} is in .env.local, which the worker does not read: move it to .env`);
  if (newDatabase || there.has("DATABASE_URL") || local.has("DATABASE_URL")) return faults;
  return [...faults, `DATABASE_URL is not in ${FILE}: the worker needs it`];
}

function keyFaults(there: Map<string, string>): string[] {
  const [publicKey, browsers] = [there.get("VAPID_PUBLIC_KEY"), there.get("NEXT_PUBLIC_VAPID_PUBLIC_KEY")];
  const faults: string[] = [];
  if (Boolean(publicKey || browsers) !== there.has("VAPID_PRIVATE_KEY")) {
    faults.push(`${FILE} has half a VAPID key pair: add the other half, or remove it and start again`);
  } else if (publicKey && browsers && publicKey !== browsers) {
    faults.push(`NEXT_PUBLIC_VAPID_PUBLIC_KEY in ${FILE} is another key than VAPID_PUBLIC_KEY: browsers need the same`);
  }
  return faults;
}

/** The lines to add. A comment comes with the first variable of its section. */
function sections(
  text: string,
  { parts, subject, newDatabase, tables }: Wishes,
  keys: VapidKeys | null,
  redis: string,
): string[] {
  const there = variables(text);
  const all: [string, Record<string, string>][] = [
    ["# The worker reads this file, too.", { REDIS_URL: redis, ...(newDatabase ? SQLITE : {}) }],
  ];
  if (keys) all.push(["# Web push. The last line is for the browser.", pushed(keys, subject)]);
  const served = Object.entries(TABLES).filter(([part]) => parts.includes(part));
  const names = served.map(([, [variable, model]]) => [variable, tables.get(model) ?? model]);
  all.push(["# Tables that the worker serves.", Object.fromEntries(names)]);
  if (parts.includes("admin")) all.push(["# The worker's web.py, which serves the dashboard.", WEB]);
  const lines = all.flatMap(([comment, values]) => {
    const missing = Object.entries(values).filter(([name]) => !there.has(name));
    return missing.length > 0 ? [comment, ...missing.map(([name, value]) => line(name, value))] : [];
  });
  return parts.includes("uploads") && !text.includes("STORAGE_URL") ? [...lines, ...BUCKET] : lines;
}

const passwordIn = (url: string) => (URL.canParse(url) ? new URL(url).password : "");

const line = (name: string, value: string) => `${name}="${value}"`;

const SQLITE = { DATABASE_URL: "file:./dev.db" };
const TABLES: Record<string, [variable: string, model: string]> = {
  notifications: ["NOTIFICATION_TABLE", "Notification"],
  preferences: ["PREFERENCE_TABLE", "NotificationPreference"],
};
const WEB = { PUSHMILL_URL: "http://127.0.0.1:8080", PUSHMILL_TOKEN: "" };

// As comments: the worker serves a feature as soon as one of its variables is set.
const BUCKET = [
  "# Uploads: your bucket, for app and worker.",
  '# STORAGE_URL="s3://bucket/prefix"',
  '# AWS_ACCESS_KEY_ID=""',
  '# AWS_SECRET_ACCESS_KEY=""',
  '# AWS_REGION=""',
];

const pushed = ({ publicKey, privateKey }: VapidKeys, subject: string) => ({
  VAPID_SUBJECT: subject,
  VAPID_PRIVATE_KEY: privateKey,
  VAPID_PUBLIC_KEY: publicKey,
  NEXT_PUBLIC_VAPID_PUBLIC_KEY: publicKey,
});
