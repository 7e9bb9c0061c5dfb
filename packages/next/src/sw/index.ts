import { recall, remember, SUBSCRIPTIONS, send } from "../push/sent.js";

export interface HandlePushOptions {
  /** Where a renewed subscription is sent. Default: where the page sent it, else /api/push/subscriptions. */
  subscribeUrl?: string;
  /** The title of a message that has none. Default: "New notification". */
  title?: string;
  /** The icon of a message that has none. */
  icon?: string;
}

/** `self` of a service worker. */
export interface PushScope {
  addEventListener(type: string, listener: (event: Event) => void): void;
}

/**
 * Handles web push in a service worker: shows each message, opens its page when it is clicked, and sends a subscription
 * that the browser has renewed to the server. Call it at the top level: browsers ignore listeners that come later.
 *
 * A message is the worker's payload, the same in the shape of Declarative Web Push, or text. Each one shows a
 * notification, whatever it holds: Chrome shows its own otherwise, and Safari ends the subscription. The `data` of the
 * notification is `{url, urls, data}`: where a click leads, the same for each action that has a `url` of its own, and
 * the payload's `data`.
 *
 * A click opens only pages of this origin. Any other URL opens "/".
 */
export function handlePush(self: PushScope, options: HandlePushOptions = {}): void {
  const scope = self as unknown as Scope;
  const on = <E>(type: string, handle: (event: E) => Promise<unknown> | undefined) =>
    self.addEventListener(type, (event) => (event as Waiting).waitUntil(Promise.resolve(handle(event as E))));
  on("push", (event: PushMessage) => shown(scope, event, options));
  on("notificationclick", ({ notification, action }: Click) => {
    notification.close();
    return opened(scope, ownUrl(scope, notification.data?.urls?.[action] ?? notification.data?.url));
  });
  on("pushsubscriptionchange", (event: Change) => renewed(scope, event, options.subscribeUrl));
}

type Fields = Record<string, unknown>;

// The parts of a service worker that are used here. TypeScript's own types for them exclude those of a page.
interface Scope {
  location: { origin: string };
  navigator: { setAppBadge?(count: number): Promise<void> };
  clients: {
    matchAll(options: object): Promise<Client[]>;
    openWindow(url: string): Promise<unknown>;
  };
  registration: {
    scope: string;
    showNotification(title: string, options: object): Promise<void>;
    pushManager: PushManager;
  };
}

interface Client {
  url: string;
  focus(): Promise<unknown>;
  navigate(url: string): Promise<unknown>;
}

interface Waiting extends Event {
  waitUntil(work: Promise<unknown>): void;
}

interface PushMessage {
  data: { text(): string } | null;
}

interface Click {
  action: string;
  notification: { close(): void; data?: { url?: unknown; urls?: Record<string, unknown> } | null };
}

interface Change {
  oldSubscription?: PushSubscription | null;
  newSubscription?: PushSubscription | null;
}

async function shown(scope: Scope, event: PushMessage, defaults: HandlePushOptions): Promise<void> {
  const [fields, badge] = read(event.data?.text() ?? "");
  const title = text(fields.title) || defaults.title || "New notification";
  const { body, tag, data } = { body: text(fields.body), tag: text(fields.tag), data: dataOf(fields) };
  const asked = {
    ...fields,
    icon: text(fields.icon) || defaults.icon,
    badge: typeof fields.badge === "string" ? fields.badge : undefined, // an image; a number is for the app's icon
    actions: listed(fields.actions).map((each) => ({ ...each, action: text(each.action), title: text(each.title) })),
    renotify: Boolean(fields.renotify && tag), // a TypeError without a tag
    body,
    tag,
    data,
  };
  const show = (what: object) => scope.registration.showNotification(title, what);
  await Promise.all([
    show(asked).catch(() => show({ body, tag, data })), // this browser refuses a field, such as an unknown `dir`
    Number.isInteger(badge) && scope.navigator.setAppBadge?.(badge).catch(() => {}),
  ]);
}

/** The notification's fields, and the number for the app's badge (NaN: none). */
function read(message: string): [Fields, number] {
  const parsed = parse(message);
  if (typeof parsed !== "object") return [{ body: parsed }, Number.NaN];
  const { web_push, notification, app_badge } = object(parsed);
  const fields = object(web_push === 8030 ? notification : parsed);
  const count = app_badge ?? fields.app_badge ?? (typeof fields.badge === "number" ? fields.badge : "");
  return [fields, text(count) ? Number(count) : Number.NaN];
}

function parse(message: string): unknown {
  try {
    return JSON.parse(message);
  } catch {
    return message;
  }
}

const object = (value: unknown) => (value && typeof value === "object" && !Array.isArray(value) ? value : {}) as Fields;

const listed = (value: unknown) => (Array.isArray(value) ? value.map(object) : []);

const text = (value: unknown) => (typeof value === "string" || typeof value === "number" ? `${value}`.trim() : "");

function dataOf(fields: Fields) {
  const urls = listed(fields.actions).map((each) => [text(each.action), each.navigate ?? each.url]);
  return { url: fields.navigate ?? fields.url, urls: Object.fromEntries(urls), data: fields.data };
}

/** The URL if it is of this origin, else the origin's "/". (The origin of a `blob:` URL is that of its maker.) */
function ownUrl(scope: Scope, url: unknown): string {
  const home = `${scope.location.origin}/`;
  try {
    const { href } = new URL(text(url) || home, scope.registration.scope);
    return href.startsWith(home) ? href : home;
  } catch {
    return home;
  }
}

/** Focuses a window that shows the URL, else takes the last used one of this origin there, else opens a new one. */
async function opened({ clients }: Scope, url: string): Promise<unknown> {
  const there = (await clients.matchAll({ type: "window", includeUncontrolled: true })).find(
    (each) => each.url === url,
  );
  if (there) return there.focus();
  // Only windows that this service worker controls can be taken elsewhere. A page is not controlled before its reload.
  const [own] = await clients.matchAll({ type: "window" });
  // Focus comes first, and only here: a click allows it once, and in Firefox for a second.
  return own ? own.focus().then(() => own.navigate(url)) : clients.openWindow(url);
}

/** The event may lack either subscription (Firefox before 137, Safari), so what the page saved stands in. */
async function renewed(scope: Scope, event: Change, subscribeUrl: string | undefined): Promise<void> {
  const { oldSubscription: old, newSubscription: fresh } = event;
  const sent = await recall();
  const key = sent?.publicKey ?? old?.options?.applicationServerKey;
  if (!fresh && !key) return; // signed out
  const subscription =
    fresh ??
    (await scope.registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key ?? null }));
  const url = subscribeUrl ?? sent?.url ?? SUBSCRIPTIONS;
  const oldEndpoint = sent?.endpoint ?? old?.endpoint; // the one that the server knows
  const answer = await send("POST", url, { subscription, oldEndpoint });
  // Otherwise the page sends it at its next start.
  if (answer.ok && sent) await remember({ ...sent, endpoint: subscription.endpoint, at: Date.now() });
}
