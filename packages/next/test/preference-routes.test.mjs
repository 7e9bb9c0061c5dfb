import assert from "node:assert/strict";
import { test } from "node:test";
import { preferenceRoutes } from "pushmill/next";
import { fakeTable } from "./support/fake-table.mjs";
import { BODIES, mutate, random } from "./support/hostile.mjs";
import { read, send, userId } from "./support/requests.mjs";

const ALL = { channel: "*", type: "*" };
const NONE = { enabled: null, quietFrom: null, quietTo: null, timeZone: null };
const NIGHT = { quietFrom: "22:00", quietTo: "07:00", timeZone: "Europe/Berlin" };

function app(rows = []) {
  const table = fakeTable({ unique: [["userId", "channel", "type"]], rows, defaults: { ...ALL, ...NONE } });
  return { rows, table, ...preferenceRoutes({ prisma: { notificationPreference: table }, userId }) };
}

const patch = (routes, body, options) => read(routes.PATCH(send("PATCH", body, options)));

/** Try to store something that must be refused with this status, and see that nothing was stored. */
async function refused(status, body, options) {
  const routes = app();
  const answer = await patch(routes, body, options);
  assert.equal(answer.status, status, JSON.stringify(answer));
  assert.match(answer.body.error, /^[^\n]{5,200}$/);
  assert.deepEqual(routes.rows, []);
}

test("a row is added, then changed; what is left out stays", async () => {
  const routes = app();
  assert.deepEqual(await patch(routes, NIGHT), {
    status: 200,
    body: { preferences: [{ ...ALL, ...NONE, ...NIGHT }] },
  });
  await patch(routes, { channel: "push", type: "mention", enabled: false });
  await patch(routes, { enabled: false });
  const { body } = await patch(routes, { quietFrom: null, quietTo: null });
  assert.deepEqual(body.preferences, [
    { ...ALL, ...NONE, enabled: false, timeZone: "Europe/Berlin" },
    { channel: "push", type: "mention", ...NONE, enabled: false },
  ]);
  assert.deepEqual(await read(routes.GET(send("GET"))), { status: 200, body });
});

test("a user sees and changes no rows but the own ones", async () => {
  const bobs = { id: "1", userId: "bob", ...ALL, ...NONE, ...NIGHT };
  const routes = app([{ ...bobs }]);
  assert.deepEqual((await read(routes.GET(send("GET")))).body, { preferences: [] });
  await patch(routes, { userId: "bob", id: "1", enabled: false });
  assert.deepEqual(routes.rows[0], bobs);
  assert.equal(routes.rows[1].userId, "ann");
  assert.equal((await read(routes.GET(send("GET", undefined, { user: "bob" })))).body.preferences.length, 1);
});

test("two requests at once make one row", async () => {
  const routes = app();
  const answers = await Promise.all([patch(routes, { enabled: false }), patch(routes, NIGHT)]);
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200],
  );
  assert.equal(routes.rows.length, 1);
  assert.equal(routes.rows[0].quietFrom, "22:00");
  assert.equal(routes.rows[0].enabled, false);
});

test("a user has at most 100 rows, however many requests come at once", async () => {
  const routes = app();
  const words = Array.from({ length: 110 }, (_, number) => `type-${number}`);
  const answers = await Promise.all(words.map((type) => patch(routes, { type, enabled: false })));
  assert.ok(routes.rows.length <= 100, `${routes.rows.length} rows`);
  assert.ok(answers.some(({ status }) => status === 422));
  assert.ok(answers.every(({ status }) => status === 200 || status === 422));
  for (let number = 0; routes.rows.length < 100; number++)
    await patch(routes, { type: `more-${number}`, enabled: true });
  assert.equal((await patch(routes, { type: "one more", enabled: true })).status, 422);
  assert.equal((await patch(routes, { type: routes.rows[0].type, enabled: true })).status, 200);
});

test("nobody without a session reads or changes", async () => {
  await refused(401, { enabled: false }, { user: null });
  assert.equal((await read(app().GET(send("GET", undefined, { user: null })))).status, 401);
});

test("another site, a form and a large body are refused", async () => {
  const type = { "content-type": "application/json" };
  await refused(403, { enabled: false }, { headers: { ...type, "sec-fetch-site": "cross-site" } });
  await refused(415, { enabled: false }, { headers: { "content-type": "text/plain" } });
  await refused(413, { enabled: false, more: "x".repeat(3000) });
});

for (const [what, body] of BODIES) {
  test(`a body that is ${what} is refused`, async () => {
    const routes = app();
    const { status } = await patch(routes, body);
    assert.ok([400, 413, 422].includes(status), `${status}`);
    assert.deepEqual(routes.rows, []);
  });
}

for (const [what, body] of [
  ["nothing to change", ALL],
  ["a channel that there is not", { channel: "pager", enabled: true }],
  ["a channel in capitals", { channel: "PUSH", enabled: true }],
  ["a filter as channel", { channel: { not: "" }, enabled: true }],
  ["a list of channels", { channel: ["push"], enabled: true }],
  ["an empty type", { type: "", enabled: true }],
  ["a type with a NUL", { type: "a\0", enabled: true }],
  ["a type with a lone surrogate", { type: "\ud800", enabled: true }],
  ["a type with a line break", { type: "a\nb", enabled: true }],
  ["a long type", { type: "x".repeat(101), enabled: true }],
  ["a number as type", { type: 7, enabled: true }],
  ["a filter as type", { type: { contains: "" }, enabled: true }],
  ["a text as switch", { enabled: "false" }],
  ["null as switch", { enabled: null }],
  ["one end of the quiet hours", { quietFrom: "22:00" }],
  ["one end and null", { quietFrom: "22:00", quietTo: null }],
  ["an hour that there is not", { quietFrom: "25:00", quietTo: "07:00" }],
  ["a time with seconds", { quietFrom: "22:00:00", quietTo: "07:00" }],
  ["a time without a leading zero", { quietFrom: "22:00", quietTo: "7:00" }],
  ["numbers as times", { quietFrom: 22, quietTo: 7 }],
  ["an operation as time", { quietFrom: { set: "22:00" }, quietTo: "07:00" }],
  ["a zone that there is not", { timeZone: "Europe/Entenhausen" }],
  ["an offset as zone", { timeZone: "+01:00" }],
  ["a path as zone", { timeZone: "../../etc/localtime" }],
  ["a list as zone", { timeZone: ["Europe/Berlin"] }],
  ["a long zone", { timeZone: `Europe/${"x".repeat(2000)}` }],
]) {
  test(`PATCH refuses ${what}`, () => refused(422, body));
}

test("a zone is stored as the database of time zones spells it", async () => {
  const routes = app();
  await patch(routes, { timeZone: "europe/berlin" });
  assert.equal(routes.rows[0].timeZone, "Europe/Berlin");
});

test("whatever is changed in a body, the answer is one of those described, and a row has none but whole values", async () => {
  const chance = random(20261130);
  for (let count = 0; count < 500; count++) {
    const routes = app();
    const { status, body } = await patch(
      routes,
      mutate({ channel: "push", type: "a", enabled: true, ...NIGHT }, chance),
    );
    assert.ok([200, 400, 413, 422].includes(status), `${status}`);
    assert.equal(routes.rows.length, status === 200 ? 1 : 0, JSON.stringify(body));
    for (const { userId: owner, enabled, quietFrom, quietTo, timeZone } of routes.rows) {
      assert.equal(owner, "ann");
      assert.ok([true, false, null].includes(enabled));
      assert.equal(typeof quietFrom, typeof quietTo);
      assert.ok([null, "Europe/Berlin"].includes(timeZone));
    }
  }
  assert.equal({}.isAdmin, undefined);
});

test("errors of the database are not hidden", async () => {
  const routes = app();
  routes.table.create = () => Promise.reject(new Error("the database is away"));
  await assert.rejects(routes.PATCH(send("PATCH", { enabled: true })), /away/);
});
