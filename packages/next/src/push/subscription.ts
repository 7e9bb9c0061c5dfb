import { forget, recall, remember, type Sent, SUBSCRIPTIONS, send } from "./sent.js";

export interface SubscribeOptions {
  /** The VAPID public key, base64url: process.env.NEXT_PUBLIC_VAPID_PUBLIC_KEY. */
  publicKey: string | undefined;
  /** The route of `subscriptionRoutes`. Default: "/api/push/subscriptions". */
  url?: string | undefined;
  /** The service worker to register. Default: "/sw.js". null: the app registers its own (Serwist). */
  serviceWorker?: string | null | undefined;
  /** Who is signed in. If another user signs in on this browser, the subscription becomes theirs at once. */
  userId?: string | number | undefined;
}

/** The server's answer was not one of success. */
export interface Refusal extends Error {
  status?: number;
}

const WEEK = 7 * 24 * 3600 * 1000; // milliseconds
const PATIENCE = 30_000; // milliseconds
let left = 0; // how often this browser's subscription was ended

/** undefined or null: there is none. */
export const current = async (): Promise<PushSubscription | null | undefined> =>
  (await navigator.serviceWorker?.getRegistration())?.pushManager.getSubscription();

/**
 * Makes sure that there is a subscription with this key and that the server knows it: sends one that is new, was made
 * with another key or for another user, or was sent a week ago. Rejects with one readable line; with that of a 401 if
 * the user signs out meanwhile.
 */
export async function keep({
  publicKey: key = "",
  url = SUBSCRIPTIONS,
  serviceWorker = "/sw.js",
  userId,
}: SubscribeOptions) {
  if (!/^B[\w-]{86}$/.test(key)) throw new Error("publicKey is not a VAPID public key");
  const before = left;
  const sent = await recall();
  const { pushManager } = await registered(serviceWorker);
  const found = await pushManager.getSubscription();
  const subscription = found && isMadeWith(found, key) ? found : await made(pushManager, key, found);
  const news: Sent = { publicKey: key, endpoint: subscription.endpoint, url, userId, at: Date.now() };
  const isKnown = sent && identity(sent) === identity(news);
  if (isKnown && news.at - sent.at < WEEK) return;
  const old = sent?.endpoint ?? found?.endpoint; // the one that the server knows
  const save = async (fresh: PushSubscription) => {
    news.endpoint = fresh.endpoint;
    const oldEndpoint = old === news.endpoint ? undefined : old;
    await post(url, { subscription: fresh, oldEndpoint }).finally(async () => {
      if (left === before) return;
      await fresh.unsubscribe(); // it may have been made after `leave` looked
      throw refused(401, "signed out");
    });
    await remember(news);
  };
  await save(subscription).catch(async (refusal: Refusal) => {
    // Another user's, with other keys: this browser gets a new endpoint.
    if (refusal.status === 409) return save(await made(pushManager, key, subscription));
    if (isKnown && (refusal.status ?? 500) >= 500) return; // not answered: next time
    throw refusal;
  });
}

/**
 * Ends this browser's subscription, here and on the server. If the server does not answer, its push service tells the
 * worker that the subscription is gone. Rejects if the browser can't end it.
 */
export async function leave(url?: string): Promise<void> {
  left++; // what `keep` is sending must not be remembered after this
  const subscription = await current();
  const sent = await recall();
  await forget();
  const endpoint = subscription?.endpoint ?? sent?.endpoint;
  const told = endpoint && send("DELETE", url ?? sent?.url ?? SUBSCRIPTIONS, { endpoint }).catch(() => {});
  await Promise.all([subscription?.unsubscribe(), told]);
}

const identity = ({ publicKey, endpoint, url, userId }: Sent) => JSON.stringify([publicKey, endpoint, url, userId]);

/** The registration for this page, once a service worker is active in it. */
async function registered(script: string | null): Promise<ServiceWorkerRegistration> {
  const { serviceWorker } = navigator;
  if (script) {
    await serviceWorker.register(script).catch((error) => {
      throw new Error(`could not register ${script}: ${line(error)}`);
    });
  }
  return within(serviceWorker.ready, "no service worker is active on this page");
}

/** A new subscription. A browser refuses a second key beside the first, so `found` ends before. */
async function made(pushManager: PushManager, key: string, found: PushSubscription | null): Promise<PushSubscription> {
  await found?.unsubscribe();
  const subscribing = pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  return within(subscribing, "the push service did not answer").catch((error) => {
    throw new Error(`could not subscribe: ${line(error)}`);
  });
}

function isMadeWith({ options }: PushSubscription, key: string): boolean {
  const own = options.applicationServerKey; // an old browser does not say
  return !own || atob(key.replace(/-/g, "+").replace(/_/g, "/")) === String.fromCharCode(...new Uint8Array(own));
}

const refused = (status: number, message: string): Refusal => Object.assign(new Error(message), { status });

async function post(url: string, body: object): Promise<void> {
  const answer = await send("POST", url, body);
  if (answer.ok) return;
  const reason = (await answer.json().catch(() => {}))?.error ?? answer.statusText;
  throw refused(answer.status, `POST ${url} answered ${answer.status} ${reason}`);
}

function within<Value>(work: Promise<Value>, late: string): Promise<Value> {
  return new Promise<Value>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${late} within 30 s`)), PATIENCE);
    work.finally(() => clearTimeout(timer)).then(resolve, reject);
  });
}

/** What went wrong, in one line. */
export const line = (error: unknown): string =>
  `${(error as Error).message || error}`.replace(/\n.*/s, "").slice(0, 300);
