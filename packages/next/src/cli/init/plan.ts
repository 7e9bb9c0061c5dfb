import type { App } from "./app.js";
import { environmentOf } from "./environment.js";
import { gitignoreOf } from "./gitignore.js";
import { nextConfigOf } from "./next-config.js";
import { nothing, type Part, together } from "./part.js";
import { prismaOf } from "./prisma.js";
import { serviceWorkerOf } from "./service-worker.js";
import { userIdOf } from "./session.js";
import { fromTemplate, type Stands } from "./templates.js";

export const PARTS = [
  { name: "push", about: "web push: route, service worker, button", byDefault: true },
  { name: "uploads", about: "uploads from the browser to your bucket, which the worker compresses", byDefault: true },
  { name: "notifications", about: "what users are told in the app, live: route, bell", byDefault: false },
  { name: "preferences", about: "what users want to receive, and their quiet hours", byDefault: false },
  { name: "jobs", about: "a job's progress in the browser, with useJob", byDefault: false },
  { name: "admin", about: "Pushmill's dashboard behind the app's own sign-in", byDefault: false },
] as const;

export type PartName = (typeof PARTS)[number]["name"];

export interface Answers {
  parts: PartName[];
  subject: string;
}

const ROUTES: Record<PartName, string> = {
  push: "app/api/push/subscriptions/route.ts",
  uploads: "app/api/uploads/route.ts",
  notifications: "app/api/notifications/route.ts",
  preferences: "app/api/preferences/route.ts",
  jobs: "app/api/jobs/[queue]/[id]/route.ts",
  admin: "app/admin/queues/[[...path]]/route.ts",
};

const MODELS: [PartName, string][] = [
  ["push", "PushSubscription"],
  ["uploads", "File"],
  ["notifications", "Notification"],
  ["preferences", "NotificationPreference"],
];

/** All that is missing in the app, in the order in which it is shown and written. */
export function plan(app: App, { parts, subject }: Answers): Part {
  const has = (part: PartName) => parts.includes(part);
  const models = MODELS.filter(([part]) => has(part)).map(([, model]) => model);
  const prisma = models.length > 0 ? prismaOf(app, models) : null;
  const stands: Stands = prisma ? { "lib/prisma": prisma.client } : {};
  return together([
    ...(prisma ? [prisma] : []),
    userIdOf(app),
    queuesOf(app),
    ...parts.map((part) => routeOf(app, part, stands)),
    ...(has("push") ? [serviceWorkerOf(app), componentOf(app, "notify-me")] : []),
    ...(has("notifications") ? [componentOf(app, "bell")] : []),
    nextConfigOf(app),
    gitignoreOf(app, [".env", ...(prisma?.ignored ?? [])]),
    environmentOf(app, { parts, subject, newDatabase: prisma?.isNew ?? false, tables: prisma?.tables ?? new Map() }),
  ]);
}

const queuesOf = (app: App): Part => ({
  ...nothing(),
  changes: fromTemplate(app, "lib/pushmill.ts", `${app.source}lib/pushmill.ts`),
  packages: ["bullmq", "ioredis"],
});

function routeOf(app: App, part: PartName, stands: Stands): Part {
  const path = ROUTES[part];
  return { ...nothing(), changes: fromTemplate(app, path, `${app.source}${path}`, stands) };
}

function componentOf(app: App, name: string): Part {
  const path = `components/${name}.tsx`;
  return { ...nothing(), changes: fromTemplate(app, path, `${app.source}${path}`) };
}
