/**
 * What this browser last told the server about its subscription. The page and the service worker both read and write
 * it, so it is in IndexedDB: a service worker has no localStorage, and apps delete caches that they do not know.
 */
export interface Sent {
  /** The VAPID public key that the subscription was made with, base64url. */
  publicKey: string;
  endpoint: string;
  /** The route that it was sent to. */
  url: string;
  /** Milliseconds since the epoch. */
  at: number;
  /** Who was signed in, if the page says so. */
  userId?: string | number | undefined;
}

export const SUBSCRIPTIONS = "/api/push/subscriptions";

const KEY = "sent";

/** undefined: nothing, or the browser keeps nothing (a private window). */
export const recall = () => inStore<Sent | undefined>((store) => store.get(KEY));

export const remember = (sent: Sent) => inStore((store) => store.put(sent, KEY));

export const forget = () => inStore((store) => store.delete(KEY));

/** What a request answers; undefined if the browser refuses. */
function inStore<Value>(ask: (store: IDBObjectStore) => IDBRequest): Promise<Value | undefined> {
  return new Promise<Value | undefined>((resolve, reject) => {
    const opening = indexedDB.open("pushmill");
    opening.onupgradeneeded = () => opening.result.createObjectStore(KEY);
    opening.onerror = reject;
    opening.onsuccess = () => {
      const transaction = opening.result.transaction(KEY, "readwrite");
      const request = ask(transaction.objectStore(KEY));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = reject;
      opening.result.close(); // once the transaction is over
    };
  }).catch(() => undefined);
}

/** Sends JSON to the subscriptions' route, with the session's cookie. Rejects if there is no answer in 20 seconds. */
export const send = (method: "POST" | "DELETE", url: string, body: object): Promise<Response> =>
  fetch(url, {
    method,
    credentials: "include",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(20_000),
  });
