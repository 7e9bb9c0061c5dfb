import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { handlePush } from "pushmill/sw";
import { database, globals, KEY, OTHER_KEY, pushManager, server, subscription } from "./support/browser.mjs";

const ORIGIN = "https://app.example";
const script = readFileSync(fileURLToPath(import.meta.resolve("pushmill/pushmill-sw.js")), "utf8");
const classic = new Function(`${script}; return pushmill.handlePush;`)();

/** A service worker, whose `showNotification` refuses what browsers refuse. */
function worker(handle = handlePush, options = undefined, { windows = [], manager = pushManager() } = {}) {
  const listeners = {};
  const scope = {
    shown: [],
    badges: [],
    opened: [],
    addEventListener: (type, listener) => Object.assign(listeners, { [type]: listener }),
    location: { origin: ORIGIN },
    navigator: { setAppBadge: async (count) => scope.badges.push(count) },
    clients: {
      matchAll: async ({ includeUncontrolled }) => windows.filter((each) => includeUncontrolled || each.isControlled),
      openWindow: async (url) => scope.opened.push(url),
    },
    registration: {
      scope: `${ORIGIN}/`,
      showNotification: async (...shown) => show(scope, ...shown),
      pushManager: manager,
    },
  };
  scope.dispatch = async (type, event) => {
    let work;
    listeners[type]({ ...event, waitUntil: (promise) => (work = promise) });
    await work;
  };
  scope.push = (data) => scope.dispatch("push", { data: data === null ? null : { text: () => data } });
  scope.click = async (data, action = "") => {
    let closed = false;
    const notification = { data, close: () => (closed = true) };
    await scope.dispatch("notificationclick", { notification, action });
    assert.ok(closed);
    return scope.opened;
  };
  handle(scope, options);
  return scope;
}

function show(scope, title, options) {
  const { renotify, tag, actions = [], dir, badge, icon } = options;
  if (renotify && !tag) throw new TypeError("renotify without a tag");
  if (!["auto", "ltr", "rtl", undefined].includes(dir)) throw new TypeError("dir");
  for (const { action, title: label } of actions) {
    if (typeof action !== "string" || typeof label !== "string") throw new TypeError("actions");
  }
  for (const text of [badge, icon]) if (text !== undefined) assert.equal(typeof text, "string");
  scope.shown.push({ ...JSON.parse(JSON.stringify(options)), title });
}

const shownOf = async (message, options) => {
  const scope = worker(handlePush, options);
  await scope.push(typeof message === "string" || message === null ? message : JSON.stringify(message));
  assert.equal(scope.shown.length, 1);
  return [scope.shown[0], scope.badges];
};

const FULL = {
  title: "Ada",
  body: "Are you there?",
  url: "/chat/7",
  icon: "/ada.png",
  badge: "/badge.png",
  image: "/photo.jpg",
  tag: "chat-7",
  renotify: true,
  actions: [{ action: "reply", title: "Reply", url: "/chat/7/reply" }],
  data: { chat: 7 },
  silent: false,
  requireInteraction: true,
};
const DATA = { url: "/chat/7", urls: { reply: "/chat/7/reply" }, data: { chat: 7 } };

test("a payload is shown with all its fields", async () => {
  const [shown, badges] = await shownOf(FULL);
  assert.deepEqual(shown, { ...FULL, data: DATA });
  assert.deepEqual(badges, []);
});

test("the declarative shape is shown like the plain one", async () => {
  const { url, actions, ...rest } = FULL;
  const [{ action, title, url: navigate }] = actions;
  const notification = { ...rest, navigate: url, actions: [{ action, title, navigate }] };
  const [shown, badges] = await shownOf({ web_push: 8030, notification, app_badge: 3 });
  assert.deepEqual(shown.data, DATA);
  assert.equal(shown.title, "Ada");
  assert.deepEqual(badges, [3]);
});

describe("a notification is shown, whatever the message holds", () => {
  const unreadable = [null, "", "null", "[]", "{}", "true", '{"title":""}', '{"title":" \\n"}', '{"title":null}'];
  const wrong = ['{"web_push":8030}', '{"web_push":8030,"notification":"x"}', '{"title":{"a":1}}', '{"title":[1]}'];
  for (const message of [...unreadable, ...wrong]) {
    test(`no title: ${message}`, async () => {
      assert.equal((await shownOf(message))[0].title, "New notification");
      assert.equal((await shownOf(message, { title: "Chat" }))[0].title, "Chat");
    });
  }
  for (const [message, body] of [
    ["Hello", "Hello"],
    ['"Hello"', "Hello"],
    ["5", "5"],
    ['{"title"', '{"title"'],
    ["\ud800", "\ud800"],
  ]) {
    test(`text: ${JSON.stringify(message)}`, async () => {
      const [shown] = await shownOf(message);
      assert.deepEqual([shown.title, shown.body], ["New notification", body]);
    });
  }
  const odd = [
    { renotify: true },
    { renotify: true, tag: "" },
    { tag: 7, renotify: true },
    { actions: {} },
    { actions: [null, 5, "x", []] },
    { actions: [{ action: 1, title: 2 }] },
    { actions: [{}] },
    { dir: "sideways" },
    { badge: {} },
    { icon: null },
    { icon: 5 },
    { data: null },
    { ["__proto__"]: { title: 1 } },
  ];
  for (const fields of odd) {
    test(`odd fields: ${JSON.stringify(fields)}`, async () => {
      const [shown] = await shownOf(`{"title":"Ada","body":12,${JSON.stringify(fields).slice(1)}`);
      assert.deepEqual([shown.title, shown.body], ["Ada", "12"]);
    });
  }
  test("any JSON, and any text", async () => {
    const random = randomness(8030);
    for (let run = 0; run < 3000; run += 1) {
      const value = message(random);
      const sent = random(4) === 0 ? JSON.stringify(value).slice(random(3)) : JSON.stringify(value);
      const [shown, badges] = await shownOf(sent);
      assert.ok(typeof shown.title === "string" && shown.title.trim(), sent);
      assert.ok(badges.every(Number.isInteger), sent);
    }
  });
});

/** Numbers below `end`, always the same ones. */
function randomness(seed) {
  let state = seed;
  return (end) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * end);
  };
}

const WORDS = ["", " ", "Ada", "/chat", "javascript:alert(1)", "\u0000", "ltr", "__proto__", "8030", "5"];
const NAMES = [
  ...Object.keys(FULL),
  "navigate",
  "dir",
  "lang",
  "app_badge",
  "vibrate",
  "timestamp",
  "__proto__",
  "action",
];

function anything(random, depth = 0) {
  const kinds = [null, true, 0, -1, 1.5, 1e300, 8030, WORDS[random(WORDS.length)]];
  const kind = random(depth < 3 ? kinds.length + 3 : kinds.length);
  if (kind < kinds.length) return kinds[kind];
  const items = Array.from({ length: random(4) }, () => anything(random, depth + 1));
  return kind === kinds.length ? items : Object.fromEntries(items.map((item) => [NAMES[random(NAMES.length)], item]));
}

function message(random) {
  if (random(8) === 0) return anything(random);
  const fields = Object.fromEntries(NAMES.filter(() => random(3) === 0).map((name) => [name, anything(random)]));
  return random(2) ? fields : { web_push: 8030, notification: fields, app_badge: anything(random) };
}

describe("the app's badge", () => {
  for (const [fields, badges] of [
    [{ badge: 3 }, [3]],
    [{ badge: 0 }, [0]],
    [{ badge: 3, app_badge: 4 }, [4]],
    [{ app_badge: "5" }, [5]],
    [{ app_badge: null }, []],
    [{ app_badge: "" }, []],
    [{ badge: "/badge.png" }, []],
    [{ badge: 1.5 }, []],
    [{ app_badge: "many" }, []],
  ]) {
    test(JSON.stringify(fields), async () => assert.deepEqual((await shownOf({ title: "Ada", ...fields }))[1], badges));
  }
  test("a browser without badges, or one that refuses, shows the notification", async () => {
    for (const navigator of [{}, { setAppBadge: () => Promise.reject(new Error("no")) }]) {
      const scope = worker();
      scope.navigator = navigator;
      await scope.push('{"title":"Ada","badge":3}');
      assert.equal(scope.shown.length, 1);
    }
  });
});

test("renotify without a tag, which browsers refuse, takes no other field away", async () => {
  const [{ renotify, image }] = await shownOf({ title: "Ada", image: "/photo.jpg", renotify: true });
  assert.deepEqual([renotify, image], [false, "/photo.jpg"]);
});

test("the icon of the options stands in for a missing one", async () => {
  assert.equal((await shownOf({ title: "Ada" }, { icon: "/app.png" }))[0].icon, "/app.png");
  assert.equal((await shownOf(FULL, { icon: "/app.png" }))[0].icon, "/ada.png");
});

describe("a click opens pages of this origin alone", () => {
  for (const [url, opened] of [
    ["/chat/7", "/chat/7"],
    ["chat/7?a=1#b", "/chat/7?a=1#b"],
    [`${ORIGIN}/chat`, "/chat"],
    ["/%2e%2e/chat", "/chat"],
    [undefined, "/"],
    [null, "/"],
    [7, "/7"],
    [{}, "/"],
    ["", "/"],
    ["https://evil.example/", "/"],
    ["http://app.example/", "/"],
    ["https://app.example.evil.example/", "/"],
    ["https://app.example:8443/", "/"],
    ["https://me:secret@app.example/", "/"],
    ["//evil.example", "/"],
    ["\\\\evil.example", "/"],
    ["/\\evil.example", "/"],
    [" \t//evil.example", "/"],
    ["/\t/evil.example", "/"],
    ["javascript:alert(1)", "/"],
    ["java\nscript:alert(1)", "/"],
    ["data:text/html,hello", "/"],
    [`blob:${ORIGIN}/9115d58c`, "/"],
    ["https://", "/"],
    ["http://[", "/"],
  ]) {
    test(JSON.stringify(url) ?? "none", async () => {
      assert.deepEqual(await worker().click({ url }), [ORIGIN + opened]);
      assert.deepEqual(await worker(classic).click({ url }), [ORIGIN + opened]);
    });
  }
  test("a notification without data", async () => assert.deepEqual(await worker().click(null), [`${ORIGIN}/`]));
  test("an action opens its own URL, or the notification's", async () => {
    assert.deepEqual(await worker().click(DATA, "reply"), [`${ORIGIN}/chat/7/reply`]);
    assert.deepEqual(await worker().click(DATA, "other"), [`${ORIGIN}/chat/7`]);
    assert.deepEqual(await worker().click({ url: "/a", urls: { x: "//evil.example" } }, "x"), [`${ORIGIN}/`]);
  });
});

/** A window, and what is done to it. */
function open(url, isControlled = true) {
  const client = { url: ORIGIN + url, isControlled, done: [] };
  client.focus = async () => client.done.push("focus");
  client.navigate = async (to) => client.done.push(to);
  return client;
}

describe("a click prefers windows that are open", () => {
  test("one that shows the URL is focused", async () => {
    const windows = [open("/"), open("/chat/7")];
    assert.deepEqual(await worker(handlePush, {}, { windows }).click(DATA), []);
    assert.deepEqual(
      windows.map((each) => each.done),
      [[], ["focus"]],
    );
  });
  test("else the last used one goes there", async () => {
    const windows = [open("/other"), open("/")];
    assert.deepEqual(await worker(handlePush, {}, { windows }).click(DATA), []);
    assert.deepEqual(
      windows.map((each) => each.done),
      [["focus", `${ORIGIN}/chat/7`], []],
    );
  });
  test("one that the service worker does not control is focused if it shows the URL, but never goes elsewhere", async () => {
    const windows = [open("/other", false), open("/chat/7", false)];
    assert.deepEqual(await worker(handlePush, {}, { windows }).click(DATA), []);
    assert.deepEqual(await worker(handlePush, {}, { windows }).click({ url: "/new" }), [`${ORIGIN}/new`]);
    assert.deepEqual(
      windows.map((each) => each.done),
      [[], ["focus"]],
    );
  });
});

const SENT = { publicKey: KEY, endpoint: "https://push.example/old", url: "/subscriptions", userId: "u", at: 0 };

/** What the server and the browser's memory hold after the event. */
async function changed(event, { sent, options, manager, answers = [], handle = handlePush } = {}) {
  const records = new Map(sent ? [["sent", sent]] : []);
  const { asked, fetch } = server(...answers);
  globals({ fetch, indexedDB: database(records) });
  await worker(handle, options, { manager }).dispatch("pushsubscriptionchange", event);
  return { asked: JSON.parse(JSON.stringify(asked)), now: records.get("sent") };
}

describe("a subscription that changed is sent", () => {
  const old = subscription("https://push.example/old");
  const posted = (endpoint, oldEndpoint, url = "/subscriptions") => [
    {
      method: "POST",
      url,
      credentials: "include",
      type: "application/json",
      subscription: { endpoint, keys: {} },
      ...(oldEndpoint && { oldEndpoint }),
    },
  ];
  for (const [name, handle] of Object.entries({ module: handlePush, classic })) {
    test(`with both subscriptions (${name})`, async () => {
      const event = { oldSubscription: old, newSubscription: subscription("https://push.example/new") };
      const { asked, now } = await changed(event, { sent: SENT, handle });
      assert.deepEqual(asked, posted("https://push.example/new", old.endpoint));
      assert.deepEqual({ ...now, at: 0 }, { ...SENT, endpoint: "https://push.example/new" });
      assert.ok(now.at > 0);
    });
  }
  test("without a new one it subscribes again with the key that was sent last", async () => {
    const manager = pushManager();
    const { asked } = await changed({ oldSubscription: subscription("x", OTHER_KEY) }, { sent: SENT, manager });
    assert.deepEqual(manager.made, [KEY]);
    assert.deepEqual(asked, posted("https://push.example/1", SENT.endpoint));
  });
  test("without either, too", async () => {
    const { asked } = await changed({}, { sent: SENT });
    assert.deepEqual(asked, posted("https://push.example/1", "https://push.example/old"));
  });
  test("with the old one's key if nothing was kept", async () => {
    const manager = pushManager();
    const { asked, now } = await changed({ oldSubscription: old, newSubscription: null }, { manager });
    assert.deepEqual(new Uint8Array(manager.made[0]), new Uint8Array(Buffer.from(KEY, "base64url")));
    assert.deepEqual(asked, posted("https://push.example/1", old.endpoint, "/api/push/subscriptions"));
    assert.equal(now, undefined);
  });
  test("to the route of the options", async () => {
    const { asked } = await changed({}, { sent: SENT, options: { subscribeUrl: "/mine" } });
    assert.equal(asked[0].url, "/mine");
  });
  test("not after a sign-out", async () => assert.deepEqual((await changed({})).asked, []));
  test("again by the page if the server refuses", async () => {
    assert.deepEqual((await changed({}, { sent: SENT, answers: [401] })).now, SENT);
  });
});
