import assert from "node:assert/strict";
import { test } from "node:test";
import { notificationRoutes } from "pushmill/next";
import { fakeTable } from "./support/fake-table.mjs";
import { read, send, userId } from "./support/requests.mjs";

const at = (minute) => new Date(Date.UTC(2026, 10, 30, 7, minute));
const row = (id, more) => ({ id, userId: "ann", title: id, body: "", readAt: null, createdAt: at(0), ...more });

function app(rows = [], options = {}) {
  const table = fakeTable({ unique: ["id"], rows });
  return { rows, table, ...notificationRoutes({ prisma: { notification: table }, userId, ...options }) };
}

/** A source that is told by the test. */
function source() {
  const heard = new Map();
  return {
    heard,
    listen: async (channel, hear) => {
      heard.set(channel, hear);
      return () => heard.delete(channel);
    },
  };
}

const patch = (routes, body, options) => read(routes.PATCH(send("PATCH", body, options)));
const open = (routes, options) =>
  routes.GET(send("GET", undefined, { headers: { accept: "text/event-stream" }, ...options }));
const unreadOf = (rows) => rows.filter((each) => each.readAt === null).map(({ id }) => id);

test("GET gives the user's newest rows, and how many are unread", async () => {
  const many = Array.from({ length: 60 }, (_, index) => row(`old-${index}`));
  const routes = app([
    ...many,
    row("new", { createdAt: at(5), readAt: at(6), secret: 1 }),
    row("bob", { userId: "bob" }),
  ]);
  const { body } = await read(routes.GET(send("GET")));
  assert.equal(body.notifications.length, 50);
  assert.equal(body.unread, 60);
  assert.deepEqual(body.notifications[0], {
    id: "new",
    type: null,
    title: "new",
    body: "",
    url: null,
    metadata: null,
    readAt: at(6).toISOString(),
    createdAt: at(5).toISOString(),
  });
});

test("PATCH reads the user's own rows alone", async () => {
  const routes = app([row("a"), row("b"), row("c", { userId: "bob" })]);
  assert.deepEqual(await patch(routes, { ids: ["a", "c", "none"] }), { status: 200, body: { unread: 1 } });
  assert.deepEqual(unreadOf(routes.rows), ["b", "c"]);
  assert.deepEqual(await patch(routes, { all: true }), { status: 200, body: { unread: 0 } });
  assert.deepEqual(unreadOf(routes.rows), ["c"]);
});

test("a row keeps the time at which it was read first", async () => {
  const routes = app([row("a", { readAt: at(1) })]);
  await patch(routes, { ids: ["a"] });
  assert.deepEqual(routes.rows[0].readAt, at(1));
});

test("nobody without a session reads, marks or listens", async () => {
  const routes = app([row("a")], { source: source() });
  assert.equal((await read(routes.GET(send("GET", undefined, { user: null })))).status, 401);
  assert.equal((await patch(routes, { all: true }, { user: null })).status, 401);
  assert.equal((await read(open(routes, { user: null }))).status, 401);
});

for (const [what, body, status = 422] of [
  ["no ids", {}],
  ["a filter in place of ids", { ids: { not: "" } }],
  ["a filter among ids", { ids: [{ contains: "" }] }],
  ["an id with a NUL", { ids: ["a\u0000"] }],
  ["a fraction", { ids: [1.5] }],
  ["too many ids", { ids: Array.from({ length: 101 }, () => "a") }],
  ["all as a text", { all: "true" }],
  ["a large body", { ids: ["a"], more: "x".repeat(20_000) }, 413],
  ["no JSON", "{", 400],
]) {
  test(`PATCH refuses ${what}`, async () => {
    const routes = app([row("a")]);
    assert.equal((await patch(routes, body)).status, status);
    assert.deepEqual(unreadOf(routes.rows), ["a"]);
  });
}

test("PATCH refuses another site", async () => {
  const headers = { "content-type": "application/json", "sec-fetch-site": "cross-site" };
  assert.equal((await patch(app([row("a")]), { all: true }, { headers })).status, 403);
});

test("ids of another kind than the table's are refused, other errors are not hidden", async () => {
  const routes = app();
  for (const fault of [{ name: "PrismaClientValidationError" }, { code: "P2023" }]) {
    routes.table.updateMany = () => Promise.reject(Object.assign(new Error("no"), fault));
    assert.equal((await patch(routes, { ids: ["a"] })).status, 422);
  }
  routes.table.updateMany = () => Promise.reject(new Error("the database is away"));
  await assert.rejects(routes.PATCH(send("PATCH", { ids: ["a"] })), /away/);
});

test("a live message is an event for its user, until the browser is gone", async () => {
  const live = source();
  const { body, headers } = await open(app([], { source: live }));
  assert.equal(headers.get("content-type"), "text/event-stream");
  const hear = live.heard.get("notifications:ann");
  hear('{\n"id": "a",\n"unread": 1}');
  hear("no\n\nJSON");
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  assert.equal((await reader.read()).value, "retry: 1000\n\n");
  assert.equal((await reader.read()).value, 'event: notification\ndata: {"id":"a","unread":1}\n\n');
  await reader.cancel();
  await new Promise(setImmediate);
  assert.equal(live.heard.size, 0);
});

test("the stream ends with the connection to Redis, so that the page reads again", async () => {
  const live = source();
  const answer = await open(app([], { source: live }));
  live.heard.get("notifications:ann")(null);
  assert.equal(await answer.text(), "retry: 1000\n\n");
  assert.equal(live.heard.size, 0);
});

test("a browser that was gone before leaves nobody who listens", async () => {
  const live = source();
  const { GET } = app([], { source: live });
  const request = send("GET", undefined, { headers: { accept: "text/event-stream" } });
  await (await GET(new Request(request, { signal: AbortSignal.abort() }))).text();
  assert.equal(live.heard.size, 0);
});

test("without a source the browser does not come back, and without Redis it hears that", async (t) => {
  t.mock.method(console, "error", () => {});
  assert.equal((await open(app())).status, 204);
  const away = { listen: () => Promise.reject(new Error("Redis can't be reached")) };
  assert.equal((await open(app([], { source: away }))).status, 503);
});
