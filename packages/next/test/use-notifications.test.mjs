import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { useNotifications } from "pushmill/react";
import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { LOADING, notificationStore } from "../dist/esm/react/notification-store.js";

const URL_OF_ROUTE = "/api/notifications";
const row = (id, readAt = null) => ({ id, title: id, readAt });
const [opened, asked] = [[], []];
let answer;

class FakeEventSource extends EventTarget {
  static OPEN = 1;
  static CLOSED = 2;
  readyState = 1;
  constructor(url) {
    super();
    opened.push(Object.assign(this, { url }));
  }
  close() {
    this.readyState = 2;
  }
  tell(message) {
    this.dispatchEvent(new MessageEvent("notification", { data: JSON.stringify(message) }));
  }
}

beforeEach(() => {
  opened.length = asked.length = 0;
  answer = () => ({ notifications: [row("b"), row("a", "2026")], unread: 1 });
  globalThis.EventSource = FakeEventSource;
  globalThis.document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  globalThis.fetch = async (url, { method = "GET", body } = {}) => {
    asked.push([method, url, body].filter(Boolean).join(" "));
    const told = answer(method);
    return Response.json(told, { status: told ? 200 : 503 });
  };
});

const turn = () => new Promise((resolve) => setImmediate(resolve));
const settled = async () => {
  for (let turns = 0; turns < 20; turns++) await turn();
};

/** A store that is listened to until the end of the test. */
async function followed(t) {
  const store = notificationStore(URL_OF_ROUTE);
  const stop = store.listen(() => {});
  t.after(stop);
  await settled();
  return { store, stop };
}

const View = () => createElement("b", null, useNotifications().status);

test("on the server it is loading", () => {
  assert.equal(renderToString(createElement(View)), "<b>loading</b>");
});

test("the rows and the number of unread ones are shown, and read again when the connection opens", async (t) => {
  const { store } = await followed(t);
  assert.deepEqual([store.view().status, store.view().unread, store.view().notifications.length], ["ready", 1, 2]);
  answer = () => ({ notifications: [], unread: 0 });
  opened[0].onopen();
  await settled();
  assert.equal(store.view().unread, 0);
});

test("a live message counts at once, and its row follows; one without a row asks for nothing", async (t) => {
  const { store } = await followed(t);
  answer = () => ({ notifications: [row("c")], unread: 2 });
  opened[0].tell({ id: "c", type: "info", title: "c", unread: 2 });
  assert.deepEqual([store.view().unread, store.view().latest.title], [2, "c"]);
  await settled();
  assert.equal(store.view().notifications[0].id, "c");
  asked.length = 0;
  opened[0].tell({ id: null, type: "info", title: "typing", unread: 2 });
  await settled();
  assert.deepEqual([asked, store.view().latest.title], [[], "typing"]);
});

test("what is read is shown so at once, then told to the server, whose answer counts", async (t) => {
  const { store } = await followed(t);
  asked.length = 0;
  const reading = store.read("b");
  assert.equal(store.view().unread, 0);
  assert.ok(store.view().notifications.every((each) => each.readAt));
  answer = (method) => (method === "PATCH" ? { unread: 4 } : { notifications: [row("b", "2026")], unread: 4 });
  await reading;
  assert.deepEqual(asked, [`PATCH ${URL_OF_ROUTE} {"ids":["b"]}`, `GET ${URL_OF_ROUTE}`]);
  assert.equal(store.view().unread, 4);
  await store.readAll();
  assert.equal(asked[2], `PATCH ${URL_OF_ROUTE} {"all":true}`);
});

test("a change that was refused is not shown any more", async (t) => {
  const { store } = await followed(t);
  const before = answer;
  answer = (method) => (method === "PATCH" ? null : before());
  await store.readAll();
  assert.deepEqual([store.view().status, store.view().unread], ["ready", 1]);
});

test("without a connection it looks when the page is seen again, and tries once more", async (t) => {
  const { store } = await followed(t);
  opened[0].readyState = FakeEventSource.CLOSED;
  answer = () => null;
  document.dispatchEvent(new Event("visibilitychange"));
  await settled();
  assert.deepEqual([store.view().status, opened.length], ["error", 2]);
  opened[1].readyState = FakeEventSource.CLOSED;
  document.visibilityState = "hidden";
  document.dispatchEvent(new Event("visibilitychange"));
  assert.equal(opened.length, 2);
});

test("when nobody listens the connection is closed, and the next user sees nothing of this one", async (t) => {
  const { store, stop } = await followed(t);
  opened[0].tell({ id: "c", type: "info", title: "c", unread: 2 });
  stop();
  await settled();
  assert.equal(opened[0].readyState, FakeEventSource.CLOSED);
  assert.deepEqual(store.view(), LOADING);
});
