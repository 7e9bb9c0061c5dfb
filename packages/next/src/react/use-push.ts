"use client";

import { useSyncExternalStore } from "react";
import { LOADING, type PushActions, type PushStore, type PushView, pushStore } from "../push/store.js";
import type { SubscribeOptions } from "../push/subscription.js";

export interface UsePushOptions extends SubscribeOptions {}

export interface Push extends PushView, PushActions {}

const stores = new Map<string, PushStore>();

/**
 * Web push in this browser: the state for a button, and what the button does. Components with the same options share
 * one state. At its start it renews a subscription that is lost or was made with another key, and sends it to the
 * server if the server does not know it.
 */
export function usePush(options: UsePushOptions): Push {
  const { listen, view, subscribe, unsubscribe } = storeOf(options);
  return { ...useSyncExternalStore(listen, view, () => LOADING), subscribe, unsubscribe };
}

function storeOf(options: UsePushOptions): PushStore {
  const key = JSON.stringify(options);
  const store = stores.get(key) ?? pushStore(options);
  if (typeof window !== "undefined") stores.set(key, store); // a server would keep one for each user
  return store;
}
