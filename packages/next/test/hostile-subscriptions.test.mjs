import assert from "node:assert/strict";
import { test } from "node:test";
import { subscriptionRoutes } from "pushmill/next";
import { fakeTable } from "./support/fake-table.mjs";
import { BODIES, mutate, random } from "./support/hostile.mjs";
import { browserKeys, device, read, send, userId } from "./support/requests.mjs";

const JSON_TYPE = "application/json";

function app(options = {}) {
  const table = fakeTable({ unique: ["endpoint"] });
  return { table, ...subscriptionRoutes({ prisma: { pushSubscription: table }, userId, ...options }) };
}

/** Try to store something that must be refused with this status, and see that nothing was stored. */
async function refused(status, body, options, routes = app()) {
  const answer = await read(routes.POST(send("POST", body, options)));
  assert.equal(answer.status, status, JSON.stringify(answer));
  assert.match(answer.body.error, /^[^\n]{5,200}$/);
  assert.deepEqual(routes.table.rows, []);
}

for (const [name, body] of BODIES) {
  test(`a body that is ${name} is refused`, async () => {
    const routes = app();
    for (const method of ["POST", "DELETE"]) {
      const { status, body: answer } = await read(routes[method](send(method, body)));
      assert.ok(status === 400 || status === 422, `${method} ${status}`);
      assert.equal(typeof answer.error, "string");
    }
  });
}

const HOSTS = [
  "evil.example",
  "fcm.googleapis.com.evil.example",
  "evilfcm.googleapis.com.",
  "fcm.googleapis.com.",
  "xfcm.googleapis.com",
  "googleapis.com",
  "127.0.0.1",
  "10.0.0.1",
  "169.254.169.254",
  "0x7f000001",
  "2130706433",
  "[::1]",
  "[::ffff:127.0.0.1]",
  "localhost",
  "fcm.googleapis.com:8443",
  "fcm.googleapis.com:80",
  "user@fcm.googleapis.com",
  "user:secret@fcm.googleapis.com",
  "fcm.googleapis.com@evil.example",
  "evil.example#fcm.googleapis.com",
  "evil.example?fcm.googleapis.com",
  "evil.example\\.fcm.googleapis.com",
  "fcm%2egoogleapis.com",
  "fcm.googleapis.com%00.evil.example",
  "fcm.googleapis。com",
  "ｆcm.googleapis.com",
  "fcm.google\tapis.com",
  "permanently-removed.invalid",
];
for (const host of HOSTS) {
  test(`an endpoint at ${JSON.stringify(host)} is refused`, () =>
    refused(422, { subscription: device(`https://${host}/send/1`) }));
}

const URLS = [
  "http://fcm.googleapis.com/1",
  "ws://fcm.googleapis.com/1",
  "file:///fcm.googleapis.com/1",
  "javascript:fcm.googleapis.com",
  "//fcm.googleapis.com/1",
  "https:fcm.googleapis.com/1",
  "https:/fcm.googleapis.com/1",
  "https:///fcm.googleapis.com/1",
  " https://fcm.googleapis.com/1",
  "https://fcm.googleapis.com/1\r\nHost: evil.example",
  `https://fcm.googleapis.com/${"x".repeat(2048)}`,
  "",
];
for (const url of URLS) {
  test(`${JSON.stringify(url.slice(0, 60))} is no endpoint`, () => refused(422, { subscription: device(url) }));
}

const GOOD = [
  "https://fcm.googleapis.com/fcm/send/a:b-c_d",
  "https://updates.push.services.mozilla.com/wpush/v2/x",
  "https://web.push.apple.com/x",
  "https://wns2-par02p.notify.windows.com/w/?token=a%2bb%3d",
  "HTTPS://FCM.GOOGLEAPIS.COM/x",
  "https://fcm.googleapis.com:443/x",
];
for (const url of GOOD) {
  test(`${url} is an endpoint`, async () => {
    assert.equal((await read(app().POST(send("POST", { subscription: device(url) })))).status, 201);
  });
}

test("the app may add hosts, and this machine for development", async () => {
  const options = { allowedHosts: ["Push.Intern.Example"], allowLocalEndpoints: true };
  for (const url of ["https://push.intern.example/1", "https://a.push.intern.example/1", "http://127.0.0.1:8080/1"]) {
    assert.equal((await read(app(options).POST(send("POST", { subscription: device(url) })))).status, 201);
  }
  for (const url of [
    "http://push.intern.example/1",
    "http://127.0.0.1:99999/1",
    "http://10.0.0.1/1",
    "http://localhost.evil.example/",
  ]) {
    await refused(422, { subscription: device(url) }, undefined, app(options));
  }
});

test("a body that would be JSON but for a byte that is no UTF-8 is refused as such", async () => {
  const bytes = Buffer.from(JSON.stringify({ subscription: device(), more: "~" }));
  bytes[bytes.lastIndexOf("~")] = 0xff;
  await refused(400, bytes);
});

/** A good key, whose first byte says that it is in the hybrid form (X9.62), which no browser uses. */
function hybrid() {
  const { p256dh, auth } = browserKeys();
  const point = Buffer.from(p256dh, "base64url");
  point[0] = 6 + ((point.at(-1) ?? 0) & 1);
  return { p256dh: point.toString("base64url"), auth };
}

const bytes = (length, first = 4) => Buffer.alloc(length, 7).fill(first, 0, 1).toString("base64url");
const KEYS = [
  ["none", undefined],
  ["a text", "keys"],
  ["a list", [bytes(65), bytes(16)]],
  ["p256dh off the curve", { p256dh: bytes(65), auth: bytes(16) }],
  ["p256dh compressed", { p256dh: bytes(33, 2), auth: bytes(16) }],
  ["p256dh of zeros", { p256dh: Buffer.alloc(65).toString("base64url"), auth: bytes(16) }],
  ["p256dh in the hybrid form", hybrid()],
  ["p256dh as bytes", { p256dh: [4, 1, 2], auth: bytes(16) }],
  ["auth of 15 bytes", { ...browserKeys(), auth: bytes(15) }],
  ["auth of 17 bytes", { ...browserKeys(), auth: bytes(17) }],
  ["auth in hex", { ...browserKeys(), auth: "00".repeat(16) }],
  ["auth with a space", { ...browserKeys(), auth: `${bytes(16)} ` }],
  ["auth with too few characters", { ...browserKeys(), auth: bytes(16).slice(0, 21) }],
  ["auth with a lone surrogate", { ...browserKeys(), auth: "\ud800".repeat(22) }],
];
for (const [name, keys] of KEYS) {
  test(`keys with ${name} are refused`, () => refused(422, { subscription: { ...device(), keys } }));
}

test("a body of more than 8 kB is refused, whatever its length is said to be", async () => {
  const body = { subscription: { ...device(), keys: { p256dh: "A".repeat(2 ** 20), auth: "A" } } };
  await refused(413, body);
  await refused(413, body, { headers: { "content-type": JSON_TYPE, "content-length": "10" } });
});

test("a body is not read on once it is too large", async () => {
  let pulled = 0;
  const endless = new ReadableStream({
    pull(controller) {
      pulled += 1;
      controller.enqueue(new Uint8Array(1024));
    },
  });
  const headers = { "content-type": JSON_TYPE, "x-user": "ann" };
  const request = new Request("https://app.example/", { method: "POST", body: endless, headers, duplex: "half" });
  assert.equal((await read(app().POST(request))).status, 413);
  assert.ok(pulled < 20, `${pulled} kB were read`);
});

for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "json"]) {
  test(`a body of the type ${JSON.stringify(type)} is refused, which a form of another site may send`, () =>
    refused(415, { subscription: device() }, { headers: { "content-type": type } }));
}

test("charset and capitals in the content type do not matter", async () => {
  const headers = { "content-type": "Application/JSON; charset=utf-8" };
  assert.equal((await read(app().POST(send("POST", { subscription: device() }, { headers })))).status, 201);
});

const ORIGINS = [
  [403, { "sec-fetch-site": "cross-site" }],
  [403, { "sec-fetch-site": "same-site", origin: "https://app.example" }],
  [403, { origin: "https://evil.example" }],
  [403, { origin: "https://app.example.evil.example" }],
  [403, { origin: "https://app.example:8443" }],
  [403, { origin: "null" }],
  [403, { origin: "not a URL" }],
  [201, { origin: "https://app.example" }],
  [201, { "sec-fetch-site": "same-origin", origin: "https://app.example" }],
  [201, { host: "10.0.0.7:3000", "x-forwarded-host": "app.example, 10.0.0.7", origin: "https://app.example" }],
];
for (const [status, headers] of ORIGINS) {
  test(`a request with ${JSON.stringify(headers)} is answered ${status}`, async () => {
    const options = { headers: { "content-type": JSON_TYPE, ...headers } };
    assert.equal((await read(app().POST(send("POST", { subscription: device() }, options)))).status, status);
  });
}

for (const expirationTime of ["soon", -1, 0, 1e308, 8.64e15, {}, "1900000000000", true]) {
  test(`an expiration of ${JSON.stringify(expirationTime)} counts as none`, async () => {
    const routes = app();
    await routes.POST(send("POST", { subscription: { ...device(), expirationTime } }));
    assert.equal(routes.table.rows[0].expirationTime, null);
  });
}

for (const oldEndpoint of [1, "", "\ud800", "x".repeat(3000), { not: "" }, []]) {
  test(`an old endpoint that is ${JSON.stringify(oldEndpoint).slice(0, 30)} is refused`, () =>
    refused(422, { subscription: device(), oldEndpoint }));
  test(`DELETE of ${JSON.stringify(oldEndpoint).slice(0, 30)} is refused`, async () => {
    const answer = await read(app().DELETE(send("DELETE", { endpoint: oldEndpoint })));
    assert.equal(answer.status, 422);
  });
}

test("whatever is changed in a body, the answer is one of those described, and no row but a whole one is stored", async () => {
  const chance = random(20261130);
  const names = ["auth", "endpoint", "expirationTime", "id", "p256dh", "updatedAt", "userId"];
  for (let count = 0; count < 2000; count++) {
    const routes = app();
    const body = mutate({ subscription: device(), oldEndpoint: device().endpoint }, chance);
    const { status, body: answer } = await read(routes.POST(send("POST", body)));
    assert.ok([201, 400, 413, 422].includes(status), `${status} for ${JSON.stringify(body)}`);
    assert.equal(typeof answer.error, status === 201 ? "undefined" : "string");
    assert.equal(routes.table.rows.length, status === 201 ? 1 : 0);
    for (const row of routes.table.rows) assert.deepEqual(Object.keys(row).sort(), names);
  }
  assert.equal({}.isAdmin, undefined);
});
