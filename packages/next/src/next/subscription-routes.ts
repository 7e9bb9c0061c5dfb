import { answering, json, refuse } from "./answer.js";
import { type Fields, isObject, readJson } from "./body.js";
import { checkEndpoint, type EndpointOptions, isUrlText } from "./endpoint.js";
import { encode, readKeys } from "./keys.js";
import { signedIn, type UserId } from "./session.js";
import { type PushSubscriptionModel, type Saved, type Subscription, subscriptions } from "./subscription-table.js";

const MAX_BYTES = 8192; // two endpoints of 2,048 characters, and the keys
// The span of time in which an expiration is believed, in milliseconds since the epoch: 2015 to 2200.
const FIRST_PUSH = Date.UTC(2015, 0);
const LAST = Date.UTC(2200, 0);
const STATUS = { created: 201, updated: 200 } as const;

export interface SubscriptionRoutesOptions extends EndpointOptions {
  /** The app's Prisma client, whose model `PushSubscription` is that of `models.prisma`. */
  prisma: { pushSubscription: PushSubscriptionModel };
  userId: UserId;
  /** The public VAPID key. Pages that are not built with it can ask for it. */
  publicKey?: string | undefined;
}

type Handler = (request: Request) => Promise<Response>;

/**
 * The handlers of `app/api/push/subscriptions/route.ts`, which keep the rows of the user's devices.
 *
 * - POST `{subscription, oldEndpoint?}`: 201 or 200. `subscription` is the browser's `toJSON()`. A user has at most 20
 *   devices: the ones that were not sent for the longest time go.
 * - DELETE `{endpoint}`: 204.
 * - GET: `{endpoints, publicKey?}`, each endpoint as the base64url of its SHA-256.
 *
 * Refusals are `{error}`: 401 without a session, 403 from another site, 409 if the endpoint is another user's, 413,
 * 415, 400 and 422 for bodies that are no such thing.
 */
export function subscriptionRoutes(options: SubscriptionRoutesOptions): {
  GET: Handler;
  POST: Handler;
  DELETE: Handler;
} {
  const rows = subscriptions(options.prisma.pushSubscription);

  return {
    GET: answering(async (request) => {
      const user = await signedIn(request, options.userId);
      const endpoints = await Promise.all((await rows.endpoints(user)).map(digest));
      return json({ endpoints, ...(options.publicKey && { publicKey: options.publicKey }) });
    }),

    POST: answering(async (request) => {
      const user = await signedIn(request, options.userId);
      const body = await readJson(request, MAX_BYTES);
      const subscription = await readSubscription(body.subscription, options);
      return saved(await rows.save(user, subscription, readOld(body)));
    }),

    DELETE: answering(async (request) => {
      const user = await signedIn(request, options.userId);
      const { endpoint } = await readJson(request, MAX_BYTES);
      if (typeof endpoint !== "string" || !isUrlText(endpoint)) refuse(422, "endpoint is not a URL");
      await rows.remove(user, endpoint);
      return new Response(null, { status: 204 });
    }),
  };
}

async function readSubscription(value: unknown, options: EndpointOptions): Promise<Subscription> {
  if (!isObject(value)) return refuse(422, "subscription is not what toJSON() of a PushSubscription returns");
  const endpoint = checkEndpoint(value.endpoint, options);
  const keys = isObject(value.keys) ? value.keys : {};
  return { endpoint, ...(await readKeys(keys.p256dh, keys.auth)), expirationTime: readTime(value.expirationTime) };
}

function readTime(value: unknown): Date | null {
  const isTime = typeof value === "number" && value >= FIRST_PUSH && value <= LAST;
  return isTime ? new Date(value) : null;
}

function readOld({ oldEndpoint }: Fields): string | null {
  if (oldEndpoint === undefined || oldEndpoint === null) return null;
  if (typeof oldEndpoint !== "string" || !isUrlText(oldEndpoint)) return refuse(422, "oldEndpoint is not a URL");
  return oldEndpoint;
}

function saved(outcome: Saved): Response {
  if (outcome === "taken") refuse(409, "another user has this endpoint; unsubscribe and subscribe again");
  if (outcome === "busy") refuse(503, "the subscription is being changed; try again");
  return json({}, STATUS[outcome]);
}

async function digest(endpoint: string): Promise<string> {
  return encode(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(endpoint))));
}
