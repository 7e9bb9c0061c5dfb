// What `pushmill/sw` and `usePush` use of a browser, by hand: no DOM, no timers.
import { after, beforeEach } from "node:test";

export const KEY = `B${"a".repeat(86)}`;
export const OTHER_KEY = `B${"c".repeat(86)}`;

const bytes = (key) => Uint8Array.from(Buffer.from(key, "base64url")).buffer;

/** A `PushSubscription`; `manager` loses it when it ends. */
export function subscription(endpoint, key = KEY, manager) {
  return {
    endpoint,
    options: { applicationServerKey: key && bytes(key) },
    toJSON: () => ({ endpoint, keys: {} }),
    async unsubscribe() {
      if (manager?.stuck) throw new Error("the subscription can't be ended");
      if (manager) manager.subscription = null;
      return true;
    },
  };
}

/** A `PushManager`, which numbers its endpoints. `refusal`: an error of `subscribe`. */
export function pushManager({ held, key, refusal, stuck } = {}) {
  const manager = { subscription: null, made: [], refusal, stuck };
  if (held) manager.subscription = subscription(held, key, manager);
  manager.getSubscription = async () => manager.subscription;
  manager.subscribe = async ({ userVisibleOnly, applicationServerKey }) => {
    if (manager.refusal) throw manager.refusal;
    if (!userVisibleOnly) throw new Error("NotAllowedError");
    if (manager.subscription) throw new Error("InvalidStateError");
    manager.made.push(applicationServerKey);
    manager.subscription = subscription(`https://push.example/${manager.made.length}`, applicationServerKey, manager);
    return manager.subscription;
  };
  return manager;
}

/** An `indexedDB` that holds `records`; without them it refuses. */
export function database(records) {
  const later = (request, event, result) =>
    queueMicrotask(() => {
      request.result = result;
      request[event]?.();
    });
  const asked = (work) => ({ result: work() });
  const store = {
    get: (key) => asked(() => structuredClone(records.get(key))),
    put: (value, key) => asked(() => records.set(key, structuredClone(value))),
    delete: (key) => asked(() => records.delete(key)),
  };
  const opened = {
    createObjectStore() {},
    transaction() {
      const transaction = { objectStore: () => store };
      queueMicrotask(() => transaction.oncomplete());
      return transaction;
    },
    close() {},
  };
  return {
    open() {
      const request = { result: opened };
      if (records) queueMicrotask(() => request.onupgradeneeded());
      later(request, records ? "onsuccess" : "onerror", opened);
      return request;
    },
  };
}

/** A `fetch` that keeps what it is asked in `asked`, and answers with `answers` in turn, then with 201. */
export function server(...answers) {
  const asked = [];
  const fetch = async (url, { method, body, credentials, headers }) => {
    asked.push({ method, url, credentials, type: headers["Content-Type"], ...JSON.parse(body) });
    const answer = (await answers.shift()) ?? 201;
    if (answer instanceof Error) throw answer;
    return answer instanceof Response ? answer : new Response(null, { status: answer });
  };
  return { asked, fetch };
}

const before = {};

/** Sets globals for one test; undefined removes one. */
export function globals(values) {
  for (const [name, value] of Object.entries(values)) {
    before[name] ??= Object.getOwnPropertyDescriptor(globalThis, name) ?? null;
    if (value === undefined) delete globalThis[name];
    else Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
}

function restore() {
  for (const [name, descriptor] of Object.entries(before)) {
    if (descriptor) Object.defineProperty(globalThis, name, descriptor);
    else delete globalThis[name];
    delete before[name];
  }
}

beforeEach(restore);
after(restore);

const IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Safari/604.1";
const MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.5 Safari/605.1.15";
export const AGENTS = { IPHONE, MAC };

/** A page's browser. `answers`: those of the user to the question, else of the server. */
export function page({
  permission = "default",
  user = "granted",
  manager = pushManager(),
  sent,
  answers = [],
  ...more
} = {}) {
  const records = new Map(sent ? [["sent", sent]] : []);
  const { asked, fetch } = server(...answers);
  const state = { manager, records, asked, scripts: [], questions: 0, watched: 0, change: null };
  const registration = { pushManager: manager, active: {} };
  const serviceWorker = {
    getRegistration: async () => (more.unregistered && state.scripts.length === 0 ? undefined : registration),
    register: async (script) => {
      if (more.broken) throw new TypeError(more.broken);
      state.scripts.push(script);
    },
    ready: more.ready ?? Promise.resolve(registration),
  };
  const notification = {
    permission,
    requestPermission: async () => {
      state.questions += 1;
      if (notification.permission === "default") notification.permission = user;
      return notification.permission;
    },
  };
  state.permit = (now) => {
    notification.permission = now;
    state.change?.();
  };
  const query = async () => ({
    set onchange(listener) {
      state.watched += 1;
      state.change = listener;
    },
  });
  const navigator = { userAgent: MAC, maxTouchPoints: 0, serviceWorker, permissions: { query }, ...more.navigator };
  if (more.navigator && "serviceWorker" in more.navigator) delete navigator.serviceWorker;
  const db = more.forgetful ? database() : database(records);
  globals({ navigator, Notification: notification, PushManager: class {}, indexedDB: db, fetch, ...more.globals });
  return state;
}

/** Resolves once what is under way is over: nothing here waits for time. */
export const settled = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
