import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { adminRoute } from "pushmill/next";

const APP = "https://app.example";
const OWN = { "sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded" };
const PAGE = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy": "default-src 'none'",
  "cache-control": "no-store",
  "x-robots-tag": "noindex",
  "set-cookie": "pushmill=x",
  connection: "close",
  "content-encoding": "identity",
  server: "web.py",
};

const original = globalThis.fetch;
afterEach(() => {
  globalThis.fetch = original;
});

/** Stands in for web.py; gives the requests that it gets. */
function webPy(answer = () => new Response("<p>page</p>", { headers: PAGE })) {
  const asked = [];
  globalThis.fetch = async (url, init) => {
    const request = new Request(url, init);
    asked.push({ url: String(url), init, headers: request.headers, text: init.body ? await request.text() : "" });
    return answer(request);
  };
  return asked;
}

function route(options = {}) {
  return adminRoute({ url: "https://web.example", token: "secret-token", allow: () => true, ...options });
}

/** Sends a request to the route, as Next.js does that has it at /ops/queues. */
function send(handlers, path = "", { method = "GET", mount = "/ops/queues", ...init } = {}) {
  const request = new Request(`${APP}${mount}${path}`, { method, ...init });
  const below = new URL(request.url).pathname.slice(mount.length).replace(/\/$/, "").split("/").slice(1);
  const params = below.length > 0 ? { path: below } : {};
  return handlers[method](request, { params: Promise.resolve(params) });
}

test("a page is asked for with the token, and nothing of the user", async () => {
  const asked = webPy();
  const headers = { cookie: "session=ada", "user-agent": "x", "x-forwarded-for": "192.0.2.1", accept: "text/html" };
  const answer = await send(route(), "/queue/push-notifications?state=failed&text=a%2Fb", { headers });

  assert.equal(asked[0].url, "https://web.example/admin/queues/queue/push-notifications?state=failed&text=a%2Fb");
  assert.deepEqual(Object.fromEntries(asked[0].headers), {
    accept: "text/html",
    authorization: "Bearer secret-token",
    "x-forwarded-prefix": "/ops/queues",
    "x-pushmill-access": "full",
  });
  assert.deepEqual([asked[0].init.redirect, asked[0].init.cache], ["manual", "no-store"]);
  assert.deepEqual([answer.status, await answer.text()], [200, "<p>page</p>"]);
});

test("the answer keeps its policy and caching, and loses cookies and what belongs to the connection", async () => {
  webPy();
  const answer = await send(route());
  const { "set-cookie": _, connection, "content-encoding": encoding, server, ...kept } = PAGE;
  assert.deepEqual(Object.fromEntries(answer.headers), kept);
});

test("nobody is asked before the app has allowed it", async () => {
  const asked = webPy();
  for (const allow of [
    () => false,
    async () => false,
    () => null,
    () => undefined,
    () => "",
    () => "admin",
    () => ({}),
  ]) {
    for (const method of ["GET", "HEAD", "POST", "DELETE"]) {
      const answer = await send(route({ allow, url: undefined }), "/../x", { method, headers: OWN });
      assert.equal(answer.status, 403);
      assert.doesNotMatch(await answer.text(), /PUSHMILL|web\.py/);
    }
  }
  await assert.rejects(send(route({ allow: () => assert.fail("NEXT_REDIRECT") })), /NEXT_REDIRECT/);
  assert.equal(asked.length, 0);
});

test("web.py is always told what the user may do, and who may only read sends nothing", async () => {
  const asked = webPy();
  const readers = route({ allow: () => "read" });
  await send(readers);
  await send(route({ allow: () => "full" }));
  const refused = await send(readers, "/queue/x/pause", { method: "POST", headers: OWN, body: "csrf=x" });
  assert.deepEqual(
    asked.map(({ headers }) => headers.get("x-pushmill-access")),
    ["read", "full"],
  );
  assert.equal(refused.status, 403);
});

test("a form of this app is passed on", async () => {
  const answer = () => new Response(null, { status: 303, headers: { location: "/admin/queues/queue/x?said=paused" } });
  const asked = webPy(answer);
  const { status, headers } = await send(route(), "/queue/x/pause", { method: "POST", headers: OWN, body: "csrf=abc" });
  assert.deepEqual([status, headers.get("location")], [303, "/ops/queues/queue/x?said=paused"]);
  assert.deepEqual([asked[0].init.method, asked[0].text], ["POST", "csrf=abc"]);
  assert.equal(asked[0].headers.get("origin"), null);
});

const HOST = { host: "app.example" };
for (const [name, headers, isTaken] of [
  ["the browser says: the same origin", { "sec-fetch-site": "same-origin" }, true],
  ["another site", { "sec-fetch-site": "cross-site", ...HOST, origin: APP }, false],
  ["another host of the site", { "sec-fetch-site": "same-site", ...HOST, origin: APP }, false],
  ["no page at all", { "sec-fetch-site": "none", ...HOST, origin: APP }, false],
  ["an older browser, from here", { ...HOST, origin: APP }, true],
  ["an older browser, behind a router", { host: "10.0.0.1", "x-forwarded-host": "app.example", origin: APP }, true],
  ["an older browser, from elsewhere", { ...HOST, origin: "https://evil.example" }, false],
  ["a name that begins like ours", { ...HOST, origin: "https://app.example.evil.example" }, false],
  ["a sandboxed page", { ...HOST, origin: "null" }, false],
  ["no origin", HOST, false],
  ["no host", { origin: APP }, false],
]) {
  test(`a form from ${name} is ${isTaken ? "passed on" : "refused"}`, async () => {
    const asked = webPy();
    const handlers = route();
    const request = new Request(`${APP}/ops/queues/queue/x/pause`, { method: "POST", body: "" });
    Object.defineProperty(request, "headers", { value: new Headers(headers) });
    const answer = await handlers.POST(request, { params: Promise.resolve({ path: ["queue", "x", "pause"] }) });
    assert.deepEqual([answer.status, asked.length], isTaken ? [200, 1] : [403, 0]);
  });
}

for (const path of [
  "/..%2f..%2fqueue",
  "/%2e%2e%2fqueue",
  "/a%2fb",
  "/a%5cb",
  "/..%5c..%5cqueue",
  "//evil.example/x",
  "/a//b",
  "/%00",
  "/a%0d%0aHost:%20evil.example",
  "/%",
  "/%c0%af",
  "/x//",
]) {
  test(`the path ${path} is no page's`, async () => {
    const asked = webPy();
    const answer = await send(route(), path);
    assert.deepEqual([answer.status, asked.length], [404, 0]);
  });
}

for (const [path, asks] of [
  ["", "/admin/queues/"],
  ["/", "/admin/queues/"],
  ["/letters/", "/admin/queues/letters"],
  ["/queue/a:b@c", "/admin/queues/queue/a%3Ab%40c"],
  ["/https:%252f%252fevil.example", "/admin/queues/https%3A%252f%252fevil.example"],
  ["/%252e%252e/x", "/admin/queues/%252e%252e/x"],
  ["/@evil.example", "/admin/queues/%40evil.example"],
  ["/job?id=..%2f..&queue=//evil", "/admin/queues/job?id=..%2f..&queue=//evil"],
]) {
  test(`the path ${path || "of the route"} stays below the dashboard`, async () => {
    const asked = webPy();
    assert.equal((await send(route(), path)).status, 200);
    assert.equal(asked[0].url, `https://web.example${asks}`);
  });
}

test("the route may lie anywhere in the app, and web.py below a path", async () => {
  const asked = webPy(() => new Response(null, { status: 303, headers: { location: "/below/admin/queues/?said=x" } }));
  const handlers = route({ url: "https://web.example/below/", basePath: "/base" });
  for (const [mount, seen] of [
    ["/ops/queues", "/base/ops/queues"],
    ["/base/ops", "/base/ops"],
    ["/a b", "/base/a%20b"],
    ["/tenants/(x)/queues", "/base/tenants/%28x%29/queues"],
  ]) {
    const answer = await send(handlers, "/letters", { mount });
    assert.deepEqual(
      [asked.at(-1).headers.get("x-forwarded-prefix"), answer.headers.get("location")],
      [seen, `${seen}?said=x`],
    );
  }
  assert.equal(asked[0].url, "https://web.example/below/admin/queues/letters");
});

for (const [location, told] of [
  ["https://evil.example/admin/queues/", /web\.example redirects to https:\/\/evil\.example: set PUSHMILL_URL/],
  ["//evil.example/admin/queues/", /redirects to https:\/\/evil\.example/],
  ["/admin/queues/login?next=x", /older than this package/],
  ["/admin/queues.evil/", /own sign-in|redirects/],
  ["/elsewhere", /own sign-in|redirects/],
  ["/admin/queues/../../x", /own sign-in|redirects/],
  ["javascript:alert(1)", /redirects to null/],
  ["http://[", /own sign-in|redirects/],
]) {
  test(`a redirect to ${location} is not followed, and said`, async () => {
    webPy(() => new Response(null, { status: 303, headers: { location } }));
    const answer = await send(route());
    assert.deepEqual([answer.status, answer.headers.get("location")], [502, null]);
    assert.match(await answer.text(), told);
  });
}

for (const [name, answer, told] of [
  [
    "the token is wrong",
    () => new Response("", { status: 401 }),
    /web\.py does not know the token: set PUSHMILL_TOKEN/,
  ],
  ["a platform answers for it", () => new Response("<h1>Application error</h1>", { status: 503 }), /is not web\.py/],
  [
    "nothing listens",
    () => Promise.reject(new TypeError("fetch failed", { cause: { code: "ECONNREFUSED" } })),
    /web\.py at web\.example can&#39;t be reached \(ECONNREFUSED\): is it running/,
  ],
]) {
  test(`if ${name} the page says so`, async () => {
    webPy(answer);
    const page = await send(route());
    assert.deepEqual([page.status, page.headers.get("content-type")], [502, "text/html; charset=utf-8"]);
    assert.match(page.headers.get("content-security-policy"), /default-src 'none'/);
    const text = await page.text();
    assert.match(text, told);
    assert.doesNotMatch(text, /secret-token|Application error/);
  });
}

for (const url of [undefined, "", "web.example", "ftp://web.example", "https://user:password@web.example"]) {
  test(`the url ${url} is refused on the page, not when the app starts`, async () => {
    const asked = webPy();
    const answer = await send(route({ url }));
    const text = await answer.text();
    assert.deepEqual([answer.status, asked.length], [502, 0]);
    assert.match(text, /PUSHMILL_URL: not set, or not an address/);
    assert.doesNotMatch(text, /password/);
  });
}

test("a missing token is named, and one that no header can have is not shown", async () => {
  webPy();
  assert.match(await (await send(route({ token: "" }))).text(), /PUSHMILL_TOKEN: not set/);
  globalThis.fetch = original;
  const answer = await send(route({ token: "secret\n-token" }));
  assert.equal(answer.status, 502);
  assert.doesNotMatch(await answer.text(), /secret/);
});

test("a page of web.py's own errors is shown", async () => {
  webPy(() => new Response("gone", { status: 503, headers: { ...PAGE, "retry-after": "5" } }));
  const answer = await send(route());
  assert.deepEqual([answer.status, await answer.text(), answer.headers.get("retry-after")], [503, "gone", "5"]);
});

test("bodies are bounded, whatever they say of their size", async () => {
  const asked = webPy();
  const post = (body, headers = {}) =>
    send(route(), "/queue/x/pause", { method: "POST", headers: { ...OWN, ...headers }, body, duplex: "half" });
  let pulled = 0;
  const endless = new ReadableStream({
    pull: (controller) => {
      pulled += 1;
      controller.enqueue(new Uint8Array(16_384));
    },
  });
  assert.equal((await post("x".repeat(65_537))).status, 413);
  assert.equal((await post(endless)).status, 413);
  assert.ok(pulled < 20);
  assert.equal(asked.length, 0);
  assert.equal((await post("x".repeat(65_536))).status, 200);
  assert.equal(asked[0].text.length, 65_536);
});

test("HEAD has the headers alone", async () => {
  const asked = webPy();
  const answer = await send(route(), "/", { method: "HEAD" });
  assert.deepEqual([answer.status, await answer.text(), asked[0].init.method], [200, "", "GET"]);
});

test("an answer is passed on while it arrives, and ends with its reader", async () => {
  let ended = false;
  const events = new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode("data: 1\n\n")),
    cancel: () => {
      ended = true;
    },
  });
  const headers = { "content-type": "text/event-stream", "cache-control": "no-store" };
  webPy(() => new Response(events, { headers }));
  const answer = await send(route({ part: "api" }), "/jobs/1/events", { mount: "/api/queue" });
  assert.equal(answer.headers.get("cache-control"), "no-store, no-transform");
  const reader = answer.body.getReader();
  assert.equal(new TextDecoder().decode((await reader.read()).value), "data: 1\n\n");
  await reader.cancel();
  assert.equal(ended, true);
});

test("the API has its own paths, methods and errors", async () => {
  const accepted = { status: 202, headers: { location: "/queue/jobs/1?queue=x", "content-type": "application/json" } };
  const asked = webPy(() => new Response("{}", accepted));
  const handlers = route({ part: "api" });
  const at = { mount: "/api/queue", headers: { ...OWN, "content-type": "application/json", "idempotency-key": "k" } };
  const answer = await send(handlers, "/jobs", { ...at, method: "POST", body: "{}" });
  assert.deepEqual([answer.status, answer.headers.get("location")], [202, "/api/queue/jobs/1?queue=x"]);
  assert.equal(asked[0].headers.get("idempotency-key"), "k");
  await send(handlers, "/jobs/1", { ...at, method: "DELETE" });
  assert.deepEqual([asked[1].init.method, asked[1].url], ["DELETE", "https://web.example/queue/jobs/1"]);

  webPy(() => new Response("<h1>", { status: 503, headers: { "content-type": "text/html" } }));
  assert.match((await (await send(handlers, "/stats", at)).json()).error, /is not web\.py/);
  assert.equal((await send(route(), "/job", { method: "DELETE", headers: OWN })).status, 405);
});
