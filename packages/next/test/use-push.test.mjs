import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { signOutOfPush, usePush } from "pushmill/react";
import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { pushStore } from "../dist/esm/push/store.js";
import { AGENTS, KEY, OTHER_KEY, page, pushManager, settled } from "./support/browser.mjs";

const OLD = "https://push.example/old";
const FIRST = "https://push.example/1";
const URL = "/api/push/subscriptions";
const DAY = 24 * 3600 * 1000;

const sentBefore = (more) => ({ publicKey: KEY, endpoint: OLD, url: URL, at: Date.now() - DAY, ...more });
const subscribed = (more) => ({ permission: "granted", manager: pushManager({ held: OLD }), ...more });

/** A store that has started, in a browser. */
async function started(browser, options) {
  const here = page(browser);
  const store = pushStore({ publicKey: KEY, ...options });
  store.listen(() => {});
  await settled();
  return Object.assign(here, { store });
}

function resolvers() {
  let resolve;
  const promise = new Promise((done) => (resolve = done));
  return { promise, resolve };
}

const told = ({ asked }) =>
  asked.map(({ method, subscription, endpoint }) => [method, subscription?.endpoint ?? endpoint]);
const OFF = { state: "off", busy: false, error: null };
const ON = { state: "on", busy: false, error: null };

const Button = () => createElement("b", null, usePush({ publicKey: KEY, userId: 1 }).state);

test("on the server, and in the first render, the state is loading", () => {
  assert.equal(renderToString(createElement(Button)), "<b>loading</b>");
});

describe("the state at the start", () => {
  const without = { globals: { PushManager: undefined, Notification: undefined } };
  const phone = { ...without, navigator: { userAgent: AGENTS.IPHONE, maxTouchPoints: 5, standalone: false } };
  const pad = { ...without, navigator: { userAgent: AGENTS.MAC, maxTouchPoints: 5, standalone: false } };
  for (const [name, browser, state] of [
    ["nothing asked yet", {}, "off"],
    ["blocked", { permission: "denied" }, "denied"],
    ["allowed, never subscribed", { permission: "granted" }, "off"],
    ["subscribed", subscribed({ sent: sentBefore() }), "on"],
    ["the permission was taken back", { sent: sentBefore() }, "off"],
    ["no PushManager", { globals: { PushManager: undefined } }, "unsupported"],
    ["no Notification", { globals: { Notification: undefined } }, "unsupported"],
    ["no service worker (http)", { navigator: { serviceWorker: null } }, "unsupported"],
    ["a tab of an iPhone", phone, "ios-install"],
    ["a tab of an iPad", pad, "ios-install"],
    ["an old iPhone, installed", { ...phone, navigator: { ...phone.navigator, standalone: true } }, "unsupported"],
    ["an iPhone, installed", { navigator: { userAgent: AGENTS.IPHONE, standalone: true } }, "off"],
    ["an old Mac", { ...without, navigator: { maxTouchPoints: 0 } }, "unsupported"],
    ["no permissions API", { permission: "denied", navigator: { permissions: undefined } }, "denied"],
  ]) {
    test(`${name}: ${state}`, async () => {
      const { store, questions, scripts } = await started(browser);
      assert.deepEqual(store.view(), { ...OFF, state });
      assert.deepEqual([questions, scripts], [0, state === "on" ? ["/sw.js"] : []]);
    });
  }
});

describe("subscribe", () => {
  test("asks, registers, subscribes and tells the server", async () => {
    const here = await started({ unregistered: true });
    const clicked = here.store.subscribe();
    assert.deepEqual(here.store.view(), { ...OFF, busy: true });
    await clicked;
    assert.deepEqual(here.store.view(), ON);
    assert.deepEqual([here.scripts, here.manager.made], [["/sw.js"], [KEY]]);
    assert.deepEqual(told(here), [["POST", FIRST]]);
    assert.deepEqual(
      [here.asked[0].url, here.asked[0].credentials, here.asked[0].type, "oldEndpoint" in here.asked[0]],
      [URL, "include", "application/json", false],
    );
  });
  test("asks in the click's own task", async () => {
    const here = page();
    pushStore({ publicKey: KEY }).subscribe();
    assert.equal(here.questions, 1); // with nothing awaited
    await settled();
  });
  test("registers what it is told, or nothing", async () => {
    for (const [serviceWorker, scripts] of [
      ["/my.js", ["/my.js"]],
      [null, []],
    ]) {
      const here = await started({}, { serviceWorker });
      await here.store.subscribe();
      assert.deepEqual(here.scripts, scripts);
      assert.deepEqual(here.store.view(), ON);
    }
  });
  for (const [answer, state] of [
    ["denied", "denied"],
    ["default", "off"],
  ]) {
    test(`leaves it at the user's answer: ${answer}`, async () => {
      const here = await started({ user: answer });
      await here.store.subscribe();
      assert.deepEqual(here.store.view(), { ...OFF, state });
      assert.deepEqual([here.scripts, here.asked], [[], []]);
    });
  }
  test("does nothing where there is no push", async () => {
    const here = await started({ globals: { PushManager: undefined } });
    await here.store.subscribe();
    assert.deepEqual([here.store.view().state, here.questions], ["unsupported", 0]);
  });
  test("runs once at a time", async () => {
    const here = await started();
    await Promise.all([here.store.subscribe(), here.store.subscribe(), here.store.unsubscribe()]);
    assert.deepEqual([told(here), here.questions, here.store.view()], [[["POST", FIRST]], 1, ON]);
  });
  test("tells those who listen, until they stop", async () => {
    const here = await started();
    const heard = [];
    const stop = here.store.listen(() => heard.push(here.store.view()));
    const view = here.store.view();
    assert.equal(here.store.view(), view); // otherwise React would render for ever
    await here.store.subscribe();
    assert.deepEqual(heard.at(-1), ON);
    stop();
    await here.store.unsubscribe();
    assert.deepEqual(heard.at(-1), ON);
  });
});

describe("what fails is one line, and the state is off", () => {
  const json = (status, error) => Response.json({ error }, { status });
  for (const [name, browser, options, error] of [
    ["no key", {}, { publicKey: undefined }, "publicKey is not a VAPID public key"],
    ["a wrong key", {}, { publicKey: `"${KEY}"` }, "publicKey is not a VAPID public key"],
    [
      "no script",
      { broken: "bad HTTP response code (404)\nat x" },
      {},
      "could not register /sw.js: bad HTTP response code (404)",
    ],
    [
      "no push service",
      { manager: pushManager({ refusal: new Error("push service error") }) },
      {},
      "could not subscribe: push service error",
    ],
    ["no network", { answers: [new TypeError("Failed to fetch")] }, {}, "Failed to fetch"],
    ["no session", { answers: [json(401, "sign in first")] }, {}, `POST ${URL} answered 401 sign in first`],
    [
      "no route",
      { answers: [new Response("<html>", { status: 404, statusText: "Not Found" })] },
      {},
      `POST ${URL} answered 404 Not Found`,
    ],
    ["a fault", { answers: [500] }, {}, `POST ${URL} answered 500 `],
    [
      "another user's twice",
      { answers: [409, json(409, "another user's")] },
      {},
      `POST ${URL} answered 409 another user's`,
    ],
  ]) {
    test(name, async () => {
      const here = await started(browser, options);
      await here.store.subscribe();
      assert.deepEqual(here.store.view(), { ...OFF, error });
      assert.equal(here.records.size, 0);
    });
  }
  test("a service worker that never becomes active", async (context) => {
    context.mock.timers.enable({ apis: ["setTimeout"] });
    const here = await started({ ready: new Promise(() => {}) });
    const clicked = here.store.subscribe();
    await settled();
    context.mock.timers.tick(30_000);
    await clicked;
    assert.equal(here.store.view().error, "no service worker is active on this page within 30 s");
  });
  test("the next click tries again, and takes the error away", async () => {
    const here = await started({ answers: [500] });
    await here.store.subscribe();
    await here.store.subscribe();
    assert.deepEqual(here.store.view(), ON);
    assert.deepEqual(told(here), [
      ["POST", FIRST],
      ["POST", FIRST],
    ]);
  });
});

describe("at the start the server is told", () => {
  for (const [name, more, options, expected] of [
    ["nothing that it knows", { sent: sentBefore() }, {}, []],
    ["again after a week", { sent: sentBefore({ at: Date.now() - 7 * DAY }) }, {}, [["POST", OLD]]],
    ["of a subscription that was never sent", {}, {}, [["POST", OLD]]],
    ["of another endpoint", { sent: sentBefore({ endpoint: "https://push.example/older" }) }, {}, [["POST", OLD]]],
    ["of another user", { sent: sentBefore({ userId: "ada" }) }, { userId: "bob" }, [["POST", OLD]]],
    ["at another route", { sent: sentBefore() }, { url: "/mine" }, [["POST", OLD]]],
    ["each time if the browser keeps nothing", { sent: sentBefore(), forgetful: true }, {}, [["POST", OLD]]],
  ]) {
    test(name, async () => {
      const here = await started(subscribed(more), options);
      assert.deepEqual(told(here), expected);
      assert.deepEqual(here.store.view(), ON);
      if (!more.forgetful) assert.equal(here.records.get("sent").endpoint, OLD);
    });
  }
  test("of the endpoint that it knows, so that it goes", async () => {
    const here = await started(subscribed({ sent: sentBefore({ endpoint: "https://push.example/older" }) }));
    assert.equal(here.asked[0].oldEndpoint, "https://push.example/older");
  });
});

describe("a new key", () => {
  test("makes a new subscription, with no question", async () => {
    const manager = pushManager({ held: OLD, key: OTHER_KEY });
    const here = await started(subscribed({ manager, sent: sentBefore({ publicKey: OTHER_KEY }) }));
    assert.deepEqual(manager.made, [KEY]);
    assert.deepEqual([told(here), here.asked[0].oldEndpoint], [[["POST", FIRST]], OLD]);
    assert.deepEqual([here.store.view(), here.questions], [ON, 0]);
    assert.equal(here.records.get("sent").publicKey, KEY);
  });
  test("is tried again at the next start if the push service could not be reached", async () => {
    const manager = pushManager({ held: OLD, key: OTHER_KEY, refusal: new Error("offline") });
    const here = await started(subscribed({ manager, sent: sentBefore({ publicKey: OTHER_KEY }) }));
    assert.deepEqual(here.store.view(), { ...OFF, error: "could not subscribe: offline" });
    const next = await started(subscribed({ manager: pushManager(), sent: here.records.get("sent") }));
    assert.deepEqual([next.store.view(), next.asked[0].oldEndpoint], [ON, OLD]);
  });
  test("that can't be one ends no subscription", async () => {
    const here = await started(subscribed({ sent: sentBefore() }), { publicKey: "undefined" });
    assert.equal(here.manager.subscription.endpoint, OLD);
    assert.equal(here.store.view().error, "publicKey is not a VAPID public key");
  });
  test("is not seen where the browser does not say the key", async () => {
    const manager = pushManager({ held: OLD, key: null });
    const here = await started(subscribed({ manager, sent: sentBefore() }));
    assert.deepEqual([here.asked, manager.made], [[], []]);
  });
});

describe("answers of the server at the start", () => {
  const weekOld = () => sentBefore({ at: Date.now() - 8 * DAY });
  for (const [name, answers, more, view] of [
    ["401 to a known one: nobody is signed in", [401], { sent: weekOld() }, OFF],
    ["401 to a new one", [401], {}, OFF],
    ["none to a known one", [new TypeError("Failed to fetch")], { sent: weekOld() }, ON],
    ["500 to a known one", [500], { sent: weekOld() }, ON],
    ["403 to a known one", [403], { sent: weekOld() }, { ...OFF, error: `POST ${URL} answered 403 ` }],
    ["none to a new one", [new TypeError("Failed to fetch")], {}, { ...OFF, error: "Failed to fetch" }],
  ]) {
    test(name, async () => assert.deepEqual((await started(subscribed({ answers, ...more }))).store.view(), view));
  }
  test("409: the endpoint is another user's, so this browser gets a new one", async () => {
    const here = await started(subscribed({ answers: [409] }));
    assert.deepEqual(told(here), [
      ["POST", OLD],
      ["POST", FIRST],
    ]);
    assert.deepEqual([here.store.view(), here.records.get("sent").endpoint], [ON, FIRST]);
  });
});

test("a subscription that the browser lost is made again", async () => {
  const here = await started({ permission: "granted", sent: sentBefore() });
  assert.deepEqual([told(here), here.asked[0].oldEndpoint], [[["POST", FIRST]], OLD]);
  assert.deepEqual(here.store.view(), ON);
});

for (const file of [
  "packages/next/templates/components/notify-me.tsx",
  "examples/next/components/push-nudge.tsx",
  "examples/next/components/notifications.tsx",
]) {
  test(`${file} says who is signed in`, () => {
    const text = readFileSync(new globalThis.URL(`../../../${file}`, import.meta.url), "utf8");
    assert.match(text, /\{[^}]*\buserId\b[^}]*\}: \{/);
    assert.match(text, /usePush\(\{ publicKey, userId \}\)/);
  });
}

describe("a page that comes again", () => {
  test("takes the subscription back from the user in between", async () => {
    const here = page(subscribed({ sent: sentBefore({ userId: "ada" }) }));
    const stores = ["ada", "bob"].map((userId) => pushStore({ publicKey: KEY, userId }));
    const shown = async (store) => {
      const stop = store.listen(() => {});
      await settled();
      stop();
      return store.view().state;
    };
    const [ada, bob] = stores;
    assert.deepEqual([await shown(ada), await shown(bob), await shown(ada)], ["on", "on", "on"]);
    assert.deepEqual(told(here), [
      ["POST", OLD],
      ["POST", OLD],
    ]);
    assert.equal(here.records.get("sent").userId, "ada");
    assert.equal(here.watched, 2); // one listener for each store
  });
  test("looks once if it is mounted twice, and not for a second component", async () => {
    const here = page(subscribed());
    const store = pushStore({ publicKey: KEY });
    store.listen(() => {})();
    store.listen(() => {});
    store.listen(() => {});
    await settled();
    assert.deepEqual([told(here), store.view()], [[["POST", OLD]], ON]);
    store.listen(() => {});
    await settled();
    assert.equal(here.scripts.length, 1);
  });
});

describe("the permission changes", () => {
  test("it is blocked, and given back", async () => {
    const here = await started(subscribed({ sent: sentBefore() }));
    const permit = async (now) => {
      here.permit(now);
      await settled();
      return here.store.view().state;
    };
    assert.equal(await permit("denied"), "denied");
    assert.equal(await permit("granted"), "on");
    assert.equal(await permit("default"), "off");
  });
  test("a browser that can't tell", async () => {
    const query = () => Promise.reject(new TypeError("notifications"));
    assert.deepEqual((await started({ navigator: { permissions: { query } } })).store.view(), OFF);
  });
});

describe("unsubscribe", () => {
  test("ends the subscription here and on the server", async () => {
    const here = await started(subscribed({ sent: sentBefore({ url: "/mine" }) }), { url: "/mine" });
    await here.store.unsubscribe();
    assert.deepEqual([here.asked[0].url, told(here)], ["/mine", [["DELETE", OLD]]]);
    assert.deepEqual([here.manager.subscription, here.records.size, here.store.view()], [null, 0, OFF]);
  });
  test("needs no answer of the server", async () => {
    const here = await started(subscribed({ sent: sentBefore(), answers: [new TypeError("Failed to fetch")] }));
    await here.store.unsubscribe();
    assert.deepEqual([here.manager.subscription, here.store.view()], [null, OFF]);
  });
  test("says what the browser refuses", async () => {
    const here = await started(subscribed({ sent: sentBefore(), manager: pushManager({ held: OLD, stuck: true }) }));
    await here.store.unsubscribe();
    assert.equal(here.store.view().error, "the subscription can't be ended");
  });
});

describe("signing out", () => {
  test("ends the subscription, without a component", async () => {
    const here = page(subscribed({ sent: sentBefore({ url: "/mine" }) }));
    await signOutOfPush();
    assert.deepEqual([here.asked[0].url, told(here)], ["/mine", [["DELETE", OLD]]]);
    assert.deepEqual([here.manager.subscription, here.records.size], [null, 0]);
  });
  test("tells the components", async () => {
    const here = await started(subscribed({ sent: sentBefore() }));
    await signOutOfPush();
    assert.deepEqual(here.store.view(), OFF);
  });
  for (const [name, answer] of [
    ["is answered", new Response(null, { status: 201 })],
    ["is not answered", new TypeError("Failed to fetch")],
  ]) {
    for (const sent of [undefined, sentBefore({ at: Date.now() - 8 * DAY })]) {
      test(`while the start's POST runs, which ${name}: ${sent ? "a known one" : "a new one"}`, async () => {
        const posted = resolvers();
        const here = await started(subscribed({ sent, answers: [posted.promise] }));
        const leaving = signOutOfPush();
        await settled();
        posted.resolve(answer);
        await leaving;
        await settled();
        assert.deepEqual([here.store.view(), here.records.size, here.manager.subscription], [OFF, 0, null]);
      });
    }
  }
  test("while the start makes a lost subscription again", async () => {
    const manager = pushManager();
    const made = resolvers();
    const { subscribe } = manager;
    manager.subscribe = (options) => made.promise.then(() => subscribe(options));
    const here = await started({ permission: "granted", sent: sentBefore(), manager });
    await signOutOfPush();
    made.resolve();
    await settled();
    assert.deepEqual([here.store.view(), here.records.size, manager.subscription], [OFF, 0, null]);
  });
  test("is never in the way", async () => {
    for (const browser of [
      {},
      { navigator: { serviceWorker: null } },
      subscribed({ manager: pushManager({ held: OLD, stuck: true }), answers: [500] }),
      { forgetful: true, unregistered: true },
    ]) {
      page(browser);
      await signOutOfPush();
    }
  });
  test("deletes what the browser has lost", async () => {
    const here = page({ sent: sentBefore() });
    await signOutOfPush();
    assert.deepEqual(told(here), [["DELETE", OLD]]);
  });
});
