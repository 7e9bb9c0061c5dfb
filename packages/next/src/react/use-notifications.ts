import { useSyncExternalStore } from "react";
import { LOADING, type NotificationsView, notificationStore } from "./notification-store.js";

export interface UseNotifications extends NotificationsView {
  /** Marks these as read, at once in the page. */
  read: (...ids: (string | number)[]) => Promise<void>;
  /** Marks all as read. */
  readAll: () => Promise<void>;
}

const stores = new Map<string, ReturnType<typeof notificationStore>>();

/**
 * The user's notifications behind the route of `notificationRoutes`, live. Components with the same URL share one
 * connection. While there is none, it looks every half a minute, and when the page is seen again.
 */
export function useNotifications(url = "/api/notifications"): UseNotifications {
  const store = stores.get(url) ?? notificationStore(url);
  if (typeof window !== "undefined") stores.set(url, store); // a server would keep one for all users
  const { listen, view, read, readAll } = store;
  return { ...useSyncExternalStore(listen, view, () => LOADING), read, readAll };
}
