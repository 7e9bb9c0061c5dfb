import { recall } from "./sent.js";
import { standing } from "./standing.js";
import { current, keep, leave, line, type Refusal, type SubscribeOptions } from "./subscription.js";

/**
 * - `loading`: the browser was not asked yet. So it is on the server.
 * - `unsupported`: this browser has no web push.
 * - `ios-install`: on an iPhone or iPad the user must add the app to the home screen first.
 * - `denied`: the user has blocked notifications. Only the browser's settings change that.
 * - `off`: not subscribed, or the server does not know of it.
 * - `on`: subscribed, and the server knows.
 */
export type PushState = "loading" | "unsupported" | "ios-install" | "denied" | "off" | "on";

export interface PushView {
  state: PushState;
  /** `subscribe` or `unsubscribe` is running. */
  busy: boolean;
  /** What went wrong, in one line. */
  error: string | null;
}

export interface PushActions {
  /** Call it in a click: browsers ask the user only then. Never rejects: see `error`. */
  subscribe(): Promise<void>;
  /** Never rejects: see `error`. */
  unsubscribe(): Promise<void>;
}

export interface PushStore extends PushActions {
  /** Looks how it stands with the first listener. Returns what removes it. */
  listen(listener: () => void): () => void;
  view(): PushView;
}

export const LOADING: PushView = { state: "loading", busy: false, error: null };

const signedOut = new Set<() => void>();

/** The logic of `usePush`, without React. */
export function pushStore(options: SubscribeOptions): PushStore {
  const listeners = new Set<() => void>();
  let view = LOADING;
  let isLooking: boolean | undefined; // undefined: it has not started

  function show(change: Partial<PushView>) {
    view = { ...view, ...change };
    for (const listener of listeners) listener();
  }

  async function act(work: () => Promise<PushState>) {
    if (view.busy) return;
    show({ busy: true, error: null });
    try {
      show({ state: await work() });
    } catch (error) {
      show({ error: line(error) });
    }
    show({ busy: false });
  }

  /** Asks the user nothing. */
  const look = async () => {
    isLooking = true;
    show(await seen(options));
    isLooking = false;
  };

  function start() {
    signedOut.add(() => show({ state: standing(), error: null }));
    navigator.permissions?.query({ name: "notifications" }).then(
      (permission) => {
        permission.onchange = () => view.busy || look();
      },
      () => {}, // not in this browser
    );
  }

  return {
    view: () => view,
    listen(listener) {
      listeners.add(listener);
      isLooking ?? start();
      // Since the last one another user may have had this browser. A page that is mounted twice (StrictMode) looks once.
      if (listeners.size === 1 && !isLooking) look();
      return () => listeners.delete(listener);
    },
    subscribe: () => act(() => subscribed(options)),
    unsubscribe: () => act(() => leave(options.url).then(standing)),
  };
}

/** How it stands, after the subscription was renewed and sent again if need be. */
async function seen(options: SubscribeOptions): Promise<Partial<PushView>> {
  const state = standing();
  if (state !== "off" || Notification.permission !== "granted") return { state };
  try {
    // A browser may lose a subscription (https://github.com/w3c/push-api/issues/236). What was sent is forgotten when
    // the user unsubscribes.
    if (!((await current()) || (await recall()))) return { state };
    await keep(options);
    return { state: "on", error: null };
  } catch (error) {
    // 401: nobody is signed in.
    return { state, error: (error as Refusal).status === 401 ? null : line(error) };
  }
}

async function subscribed(options: SubscribeOptions): Promise<PushState> {
  const state = standing();
  if (state !== "off") return state;
  // Nothing is awaited before it: the browser must see the click.
  if ((await Notification.requestPermission()) !== "granted") return standing();
  await keep(options);
  return "on";
}

/**
 * Ends this browser's subscription, so that its next user does not see the messages of this one. Call it before the
 * session ends: the server deletes only subscriptions of the user who is signed in. Never rejects. `url` is needed if
 * nothing was sent from this browser.
 */
export async function signOutOfPush(url?: string): Promise<void> {
  await leave(url).catch(() => {}); // no push in this browser, or none that can be ended
  for (const tell of signedOut) tell();
}
