import type { AppNotification } from "../next/notification-table.js";

/** What the worker has just told: `id` is null if there is no row. */
export interface LiveNotification {
  id: string | null;
  type: string;
  title: string;
  unread: number;
}

export interface NotificationsView {
  /** "error": the route refuses, or can't be reached; it is asked again. */
  status: "loading" | "ready" | "error";
  /** The 50 newest ones, the newest first. */
  notifications: AppNotification[];
  /** How many of all are unread: for the badge. */
  unread: number;
  /** The last live message since the page is open, for a toast. */
  latest: LiveNotification | null;
}

export const LOADING: NotificationsView = { status: "loading", notifications: [], unread: 0, latest: null };
const EVERY = 30_000; // milliseconds between two looks without a live connection

/** The notifications behind the route at `url`, while somebody listens. */
export function notificationStore(url: string) {
  const listeners = new Set<() => void>();
  let view = LOADING;
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setInterval> | undefined;
  let opening = 0; // answers to earlier ones may be of another user
  let last = Promise.resolve();

  const show = (next: Partial<NotificationsView>) => {
    view = { ...view, ...next };
    for (const listener of listeners) listener();
  };

  const send = async (init: RequestInit | undefined, number: number) => {
    if (number !== opening) return;
    const answer = await fetch(url, init)
      .then((it) => (it.ok ? it.json() : null))
      .catch(() => null);
    if (number === opening) show(answer ? { status: "ready", ...answer } : { status: "error" });
  };
  /** One request after the other, so that a list that is read after a change has it. */
  const ask = (init?: RequestInit) => {
    const number = opening;
    last = last.then(() => send(init, number));
    return last;
  };
  const look = () => void ask();

  const told = ({ data }: MessageEvent<string>) => {
    const latest: LiveNotification = Object(JSON.parse(data));
    show({ latest, unread: latest.unread });
    if (latest.id !== null) look();
  };

  const connect = () => {
    if (typeof EventSource === "undefined") return;
    source = new EventSource(url);
    source.onopen = look; // what was told before is in the rows
    source.addEventListener("notification", told);
  };

  /** Without a live connection: look, and try to get one again. */
  const renew = () => {
    if (document.visibilityState === "hidden" || source?.readyState === EventSource.OPEN) return;
    look();
    if (source?.readyState === EventSource.CLOSED) connect();
  };

  const open = () => {
    look();
    connect();
    timer = setInterval(renew, EVERY);
    document.addEventListener("visibilitychange", renew);
  };
  const close = () => {
    source?.close();
    clearInterval(timer);
    opening++;
    view = LOADING;
    document.removeEventListener("visibilitychange", renew);
  };

  /** Shown at once, and told to the server. */
  const mark = async (ids: (string | number)[] | undefined) => {
    const readAt = new Date().toISOString();
    const isMeant = ({ id, readAt: before }: AppNotification) => before === null && (!ids || ids.includes(id));
    const count = view.notifications.filter(isMeant).length;
    show({
      unread: ids ? Math.max(0, view.unread - count) : 0,
      notifications: view.notifications.map((each) => (isMeant(each) ? { ...each, readAt } : each)),
    });
    const body = JSON.stringify(ids ? { ids } : { all: true });
    void ask({ method: "PATCH", headers: { "Content-Type": "application/json" }, body });
    await ask();
  };

  return {
    view: () => view,
    /** Marks these as read. */
    read: (...ids: (string | number)[]) => mark(ids),
    readAll: () => mark(undefined),
    listen(listener: () => void) {
      listeners.add(listener);
      if (listeners.size === 1) open();
      return () => {
        listeners.delete(listener);
        if (!listeners.size) close();
      };
    },
  };
}
