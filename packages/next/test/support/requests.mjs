import { createECDH, randomBytes } from "node:crypto";

const URL_OF_ROUTE = "https://app.example/api/route";
const JSON_TYPE = { "content-type": "application/json" };

/** A request as a page of the app sends it; the user is in a header. */
export function send(method, body, { user = "ann", headers = JSON_TYPE } = {}) {
  const session = user === null ? {} : { "x-user": user };
  const text =
    body === undefined || typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body);
  return new Request(URL_OF_ROUTE, { method, body: text, headers: { host: "app.example", ...headers, ...session } });
}

export const userId = (request) => request.headers.get("x-user");

/** Status and body of an answer. */
export async function read(answer) {
  const response = await answer;
  const text = await response.text();
  return { status: response.status, ...(text && { body: JSON.parse(text) }) };
}

export function browserKeys() {
  const ecdh = createECDH("prime256v1");
  return { p256dh: ecdh.generateKeys("base64url"), auth: randomBytes(16).toString("base64url") };
}

let devices = 0;

/** A new device, as `PushSubscription.toJSON()` tells of it. */
export function device(endpoint = `https://fcm.googleapis.com/fcm/send/${++devices}`) {
  return { endpoint, expirationTime: null, keys: browserKeys() };
}
