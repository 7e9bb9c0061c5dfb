import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { subscriptionRoutes } from "pushmill/next";
import { fakeTable } from "./support/fake-table.mjs";
import { browserKeys, device, read, send, userId } from "./support/requests.mjs";

function app(options = {}) {
  const table = fakeTable({ unique: ["endpoint"] });
  return { table, ...subscriptionRoutes({ prisma: { pushSubscription: table }, userId, ...options }) };
}

const post = (routes, body, options) => read(routes.POST(send("POST", body, options)));
const owners = (table) => table.rows.map((row) => row.userId);

test("a subscription is stored for the user of the session, and again without a second row", async () => {
  const routes = app();
  const { endpoint, keys } = device();
  const body = { subscription: { endpoint, keys, expirationTime: 1_900_000_000_000.5, userId: "eve" } };
  assert.deepEqual(await post(routes, body), { status: 201, body: {} });
  assert.deepEqual(await post(routes, body), { status: 200, body: {} });
  const { id, updatedAt, ...row } = routes.table.rows[0];
  assert.deepEqual(row, { endpoint, ...keys, expirationTime: new Date(1_900_000_000_000), userId: "ann" });
  assert.equal(routes.table.rows.length, 1);
});

test("nobody without a session reads, stores or deletes", async () => {
  const routes = app();
  for (const user of [null, ""]) {
    for (const method of ["POST", "DELETE"]) {
      assert.equal((await read(routes[method](send(method, "no JSON", { user })))).status, 401);
    }
    assert.equal((await read(routes.GET(send("GET", undefined, { user })))).status, 401);
  }
});

test("a session whose user is not an id is none", async () => {
  for (const user of [undefined, Number.NaN, 1.5, {}, ["ann"], true]) {
    assert.equal((await post(app({ userId: () => user }), { subscription: device() })).status, 401);
  }
});

test("a user may be a number", async () => {
  const routes = app({ userId: () => 7 });
  assert.equal((await post(routes, { subscription: device() })).status, 201);
  assert.deepEqual(owners(routes.table), [7]);
});

test("GET gives the hashes of the user's endpoints, and the public key", async () => {
  const routes = app({ publicKey: "BPublic" });
  const [mine, theirs] = [device(), device()];
  await post(routes, { subscription: mine });
  await post(routes, { subscription: theirs }, { user: "bob" });
  const response = await routes.GET(send("GET"));
  assert.equal(response.headers.get("cache-control"), "no-store");
  const endpoints = [createHash("sha256").update(mine.endpoint).digest("base64url")];
  assert.deepEqual(await response.json(), { endpoints, publicKey: "BPublic" });
});

test("without a public key GET does not speak of one", async () => {
  assert.deepEqual((await read(app().GET(send("GET")))).body, { endpoints: [] });
});

test("another user's endpoint is not taken over by who knows only the endpoint", async () => {
  const routes = app();
  const mine = device();
  await post(routes, { subscription: mine });
  const before = structuredClone(routes.table.rows);
  for (const keys of [
    browserKeys(),
    { ...mine.keys, auth: browserKeys().auth },
    { ...browserKeys(), auth: mine.keys.auth },
  ]) {
    const answer = await post(routes, { subscription: { ...mine, keys } }, { user: "eve" });
    assert.equal(answer.status, 409);
  }
  assert.deepEqual(routes.table.rows, before);
});

test("a browser in which another user signs in takes its subscription along", async () => {
  const routes = app();
  const mine = device();
  await post(routes, { subscription: mine });
  assert.equal((await post(routes, { subscription: mine }, { user: "bob" })).status, 200);
  assert.deepEqual(owners(routes.table), ["bob"]);
});

test("keys are the same in base64 and in base64url", async () => {
  const routes = app();
  const mine = device();
  const base64 = (text) => Buffer.from(text, "base64url").toString("base64");
  routes.table.rows.push({
    id: "old",
    userId: "ann",
    endpoint: mine.endpoint,
    p256dh: base64(mine.keys.p256dh),
    auth: base64(mine.keys.auth),
  });
  assert.equal((await post(routes, { subscription: mine }, { user: "bob" })).status, 200);
  assert.equal(routes.table.rows[0].p256dh, mine.keys.p256dh);
});

test("a row that can't be read is not taken over", async () => {
  const routes = app();
  const mine = device();
  routes.table.rows.push({ id: "old", userId: "ann", endpoint: mine.endpoint, p256dh: "", auth: null });
  assert.equal((await post(routes, { subscription: mine }, { user: "bob" })).status, 409);
});

test("the user's own row gets new keys", async () => {
  const routes = app();
  const mine = device();
  await post(routes, { subscription: mine });
  const keys = browserKeys();
  assert.equal((await post(routes, { subscription: { ...mine, keys } })).status, 200);
  assert.equal(routes.table.rows[0].auth, keys.auth);
});

test("a new endpoint takes the place of the old one, in the same row", async () => {
  const routes = app();
  const [old, renewed] = [device(), device()];
  await post(routes, { subscription: old });
  const { id } = routes.table.rows[0];
  assert.equal((await post(routes, { subscription: renewed, oldEndpoint: old.endpoint })).status, 200);
  assert.deepEqual(
    routes.table.rows.map((row) => [row.id, row.endpoint, row.p256dh]),
    [[id, renewed.endpoint, renewed.keys.p256dh]],
  );
});

test("an old endpoint goes if the new one has a row already", async () => {
  const routes = app();
  const [old, renewed] = [device(), device()];
  await post(routes, { subscription: old });
  await post(routes, { subscription: renewed });
  await post(routes, { subscription: renewed, oldEndpoint: old.endpoint });
  assert.deepEqual(
    routes.table.rows.map((row) => row.endpoint),
    [renewed.endpoint],
  );
});

test("another user's old endpoint stays", async () => {
  const routes = app();
  const [mine, theirs] = [device(), device()];
  await post(routes, { subscription: theirs }, { user: "bob" });
  assert.equal((await post(routes, { subscription: mine, oldEndpoint: theirs.endpoint })).status, 201);
  assert.deepEqual(owners(routes.table), ["bob", "ann"]);
});

test("an old endpoint that is the new one too changes nothing more", async () => {
  const routes = app();
  const mine = device();
  for (const status of [201, 200]) {
    assert.equal((await post(routes, { subscription: mine, oldEndpoint: mine.endpoint })).status, status);
  }
  assert.equal(routes.table.rows.length, 1);
});

test("DELETE removes the user's own row only, and does not say whether there was one", async () => {
  const routes = app();
  const { endpoint, keys } = device();
  await post(routes, { subscription: { endpoint, keys } });
  for (const user of ["bob", "ann", "ann"]) {
    const answer = await read(routes.DELETE(send("DELETE", { endpoint }, { user })));
    assert.deepEqual(answer, { status: 204 });
    assert.equal(routes.table.rows.length, user === "bob" ? 1 : 0);
  }
});

test("of more than 20 devices those go that were not sent for the longest time", async () => {
  const routes = app();
  const devices = Array.from({ length: 20 }, () => device());
  for (const one of devices) await post(routes, { subscription: one });
  await post(routes, { subscription: devices[0] }); // this one is in use
  const newest = device();
  await post(routes, { subscription: newest });
  const left = new Set(routes.table.rows.map((row) => row.endpoint));
  const gone = devices.filter((one) => !left.has(one.endpoint));
  assert.deepEqual([left.size, gone, left.has(newest.endpoint)], [20, [devices[1]], true]);
});

test("rows from before the app had updatedAt are older than all others", async () => {
  const routes = app();
  const devices = Array.from({ length: 22 }, () => device());
  for (const one of devices.slice(0, 20)) await post(routes, { subscription: one });
  for (const row of routes.table.rows.slice(10)) row.updatedAt = null;
  await post(routes, { subscription: devices[20] });
  await post(routes, { subscription: devices[21] });
  const left = new Set(routes.table.rows.map((row) => row.endpoint));
  const stay = [...devices.slice(0, 10), ...devices.slice(20)].filter((one) => left.has(one.endpoint));
  assert.deepEqual([left.size, stay.length], [20, 12]);
});

test("requests at once leave one row of each endpoint, and at most 20", async () => {
  const routes = app();
  const devices = Array.from({ length: 25 }, () => device());
  const twice = [...devices, ...devices].map((subscription) => post(routes, { subscription }));
  const statuses = new Set((await Promise.all(twice)).map(({ status }) => status));
  assert.deepEqual([...statuses].sort(), [200, 201]);
  assert.equal(routes.table.rows.length, 20);
  assert.equal(new Set(routes.table.rows.map((row) => row.endpoint)).size, 20);
});

test("a device that is sent while others are dropped stays", async () => {
  const routes = app();
  const devices = Array.from({ length: 20 }, () => device());
  for (const one of devices) await post(routes, { subscription: one });
  const { findMany } = routes.table;
  routes.table.findMany = async (args) => {
    const rows = await findMany(args);
    routes.table.findMany = findMany;
    await post(routes, { subscription: devices[0] });
    return rows;
  };
  const newest = device();
  await post(routes, { subscription: newest });
  const left = routes.table.rows.map((row) => row.endpoint);
  assert.deepEqual(new Set(left), new Set([devices[0], ...devices.slice(2), newest].map(({ endpoint }) => endpoint)));
});

test("renewals at once leave one row", async () => {
  const routes = app();
  const [old, renewed] = [device(), device()];
  await post(routes, { subscription: old });
  const body = { subscription: renewed, oldEndpoint: old.endpoint };
  const answers = await Promise.all([post(routes, body), post(routes, body), post(routes, { subscription: renewed })]);
  assert.ok(answers.every(({ status }) => status === 200 || status === 201));
  assert.deepEqual(
    routes.table.rows.map((row) => row.endpoint),
    [renewed.endpoint],
  );
});

test("a row that gets other keys after it was read is not taken over", async () => {
  const routes = app();
  const mine = device();
  await post(routes, { subscription: mine });
  const rotated = browserKeys();
  const { findUnique } = routes.table;
  routes.table.findUnique = async (args) => {
    const row = await findUnique(args);
    Object.assign(routes.table.rows[0], rotated);
    return row;
  };
  assert.equal((await post(routes, { subscription: mine }, { user: "eve" })).status, 409);
  assert.deepEqual(owners(routes.table), ["ann"]);
});

test("a row that never stays the same ends in 503, not in a loop", async () => {
  const routes = app();
  routes.table.updateMany = async () => ({ count: 0 });
  const mine = device();
  await post(routes, { subscription: mine });
  assert.equal((await post(routes, { subscription: mine })).status, 503);
});

test("other errors of the database are the app's to see", async () => {
  const routes = app();
  routes.table.create = async () => {
    throw new Error("the database is away");
  };
  await assert.rejects(routes.POST(send("POST", { subscription: device() })), /away/);
});
