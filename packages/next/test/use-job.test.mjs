import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { useJob } from "pushmill/react";
import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { jobStore } from "../dist/esm/react/job-store.js";

const opened = [];

class FakeEventSource extends EventTarget {
  static CLOSED = 2;
  readyState = 0;
  constructor(url) {
    super();
    opened.push(Object.assign(this, { url }));
  }
  close() {
    this.readyState = 2;
  }
  tell(type, job = {}) {
    this.dispatchEvent(new MessageEvent(type, { data: typeof job === "string" ? job : JSON.stringify(job) }));
  }
  /** The server answers 200, and ends its answer after so many milliseconds, with no event. */
  endEmpty(context, after = 0) {
    const clock = context.mock.method(Date, "now", () => 1_000_000);
    this.onopen?.();
    clock.mock.mockImplementation(() => 1_000_000 + after);
    this.fail(0);
    clock.mock.restore();
  }
  fail(readyState) {
    this.readyState = readyState;
    this.onerror();
  }
}

beforeEach(() => {
  opened.length = 0;
  globalThis.EventSource = FakeEventSource;
});

const LOADING = { status: "loading", progress: 0, result: null, reason: null };

const View = () => createElement("b", null, JSON.stringify(useJob("/api/jobs/q/1")));

/** A store that is listened to. */
function followed(url = "/api/jobs/q/1") {
  const store = jobStore(url);
  const views = [];
  const stop = store.listen(() => views.push(store.view().status));
  return { store, views, stop };
}

test("on the server, and before the first event, it is loading", () => {
  assert.match(renderToString(createElement(View)), /loading/);
  assert.deepEqual(followed().store.view(), LOADING);
  assert.equal(opened.length, 1);
});

test("progress, result and reason are shown, and the connection ends with the job", () => {
  const { store, views } = followed();
  opened[0].tell("progress", { state: "active", progress: 40 });
  assert.deepEqual(store.view(), { ...LOADING, status: "active", progress: 40 });
  opened[0].tell("completed", { state: "completed", progress: 100, result: { url: "u" } });
  assert.deepEqual(store.view(), { status: "completed", progress: 100, result: { url: "u" }, reason: null });
  assert.deepEqual([views, opened[0].readyState], [["active", "completed"], 2]);

  const failed = followed();
  opened[1].tell("failed", { state: "failed", progress: 3, reason: "no image" });
  assert.deepEqual(failed.store.view(), { status: "failed", progress: 3, result: null, reason: "no image" });
  const gone = followed();
  opened[2].tell("gone");
  assert.equal(gone.store.view().status, "gone");
});

test("a second listener shares the connection, and the last one ends it", () => {
  const { store, stop } = followed();
  const leave = store.listen(() => {});
  stop();
  assert.deepEqual([opened.length, opened[0].readyState], [1, 0]);
  leave();
  assert.equal(opened[0].readyState, 2);
});

test("a component that is mounted twice (StrictMode) follows the job again", () => {
  const { store, stop } = followed();
  stop();
  store.listen(() => {});
  assert.deepEqual(
    opened.map(({ readyState }) => readyState),
    [2, 0],
  );
  opened[1].tell("progress", { state: "active", progress: 1 });
  assert.equal(store.view().status, "active");
});

test("a job that has ended is not asked for again", () => {
  const { store, stop } = followed();
  opened[0].tell("completed", { state: "completed" });
  stop();
  store.listen(() => {});
  assert.deepEqual([opened.length, store.view().status], [1, "completed"]);
});

test("the browser's own reconnect is left to it", () => {
  const { store } = followed();
  opened[0].tell("progress", { state: "active", progress: 5 });
  opened[0].fail(0);
  assert.deepEqual([opened.length, store.view().progress], [1, 5]);
});

test("an answer that the browser gives up is asked for again, then it is an error", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { store } = followed();
  for (const pause of [1000, 2000, 4000]) {
    opened.at(-1).fail(2);
    assert.equal(store.view().status, "loading");
    context.mock.timers.tick(pause);
  }
  opened.at(-1).fail(2);
  assert.deepEqual([opened.length, store.view().status], [4, "error"]);
});

test("an answer that ends at once without an event is asked for again, then it is an error", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { store } = followed();
  for (const pause of [1000, 2000, 4000]) {
    opened.at(-1).endEmpty(context);
    assert.deepEqual([store.view().status, opened.at(-1).readyState], ["loading", 2]);
    context.mock.timers.tick(pause);
  }
  opened.at(-1).endEmpty(context);
  assert.deepEqual([opened.length, store.view().status, opened.at(-1).readyState], [4, "error", 2]);
});

test("an answer that had no news for long, and tries without an answer, are left to the browser", (context) => {
  const { store } = followed();
  opened[0].tell("progress", { state: "waiting" });
  for (let again = 0; again < 10; again++) {
    opened[0].endEmpty(context, 300_000);
    opened[0].fail(0);
  }
  assert.deepEqual([opened.length, opened[0].readyState, store.view().status], [1, 0, "waiting"]);
});

test("a route that answered once gets more time, and counts anew after each event", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { store } = followed();
  opened[0].tell("progress", { state: "active" });
  for (let again = 0; again < 2; again++) {
    for (let failure = 0; failure < 6; failure++) {
      opened.at(-1).fail(2);
      context.mock.timers.tick(30_000);
    }
    opened.at(-1).tell("progress", { state: "active" });
  }
  assert.deepEqual([opened.length, store.view().status], [13, "active"]);
});

test("a component that is gone asks no more", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { stop } = followed();
  opened[0].fail(2);
  stop();
  context.mock.timers.tick(60_000);
  assert.equal(opened.length, 1);
});

test("without a URL, and where there is no EventSource, nothing is opened", () => {
  followed(null);
  globalThis.EventSource = undefined;
  assert.equal(followed().store.view().status, "loading");
  assert.equal(opened.length, 0);
});

test("data that is no JSON changes nothing but ends with its event", () => {
  const { store } = followed();
  opened[0].tell("progress", "<html>");
  assert.equal(store.view().status, "loading");
  opened[0].tell("progress", "null");
  assert.equal(store.view().status, "loading");
});
