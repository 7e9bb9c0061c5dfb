import assert from "node:assert/strict";
import { test } from "node:test";
import { sendFile } from "../dist/esm/react/send-file.js";

const FILE = new File(["12345"], "cat.png", { type: "image/png" });
const FORM = {
  key: "uploads/ann/1",
  url: "https://store.example/b",
  method: "POST",
  fields: { key: "k", Policy: "p" },
};
const RAW = {
  key: "uploads/ann/1",
  url: "https://store.example/b/k?s",
  method: "PUT",
  headers: { "Content-Type": "image/png" },
};
const UPLOADED = { fileId: "7", job: { id: "upload-1", queue: "file-processing" } };

/** XMLHttpRequest as a browser has it, which sends in two parts and ends as `outcome` says. */
function fakeStore(outcome) {
  const sent = [];
  class Request extends EventTarget {
    upload = {};
    headers = {};
    open(method, url) {
      Object.assign(this, { method, url });
    }
    setRequestHeader(name, value) {
      this.headers[name] = value;
    }
    async send(body) {
      sent.push({ method: this.method, url: this.url, headers: this.headers, body });
      await null;
      this.upload.onprogress({ loaded: 2, total: 5 });
      if (outcome === "abort") return;
      if (outcome === "away") return this.onerror();
      this.upload.onprogress({ loaded: 5, total: 5 });
      this.status = outcome;
      this.onload();
    }
    abort() {
      this.onabort();
    }
  }
  globalThis.XMLHttpRequest = Request;
  return sent;
}

/** The app's route: each answer is a value, or an error of the network. */
function fakeRoute(context, ...answers) {
  const asked = [];
  context.mock.method(globalThis, "fetch", async (url, { method, headers, body, signal }) => {
    signal.throwIfAborted();
    asked.push([url, method, headers["Content-Type"], JSON.parse(body)]);
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer instanceof Response ? answer : Response.json(answer);
  });
  return asked;
}

const upload = (onProgress = () => {}, signal = new AbortController().signal) =>
  sendFile("/api/uploads", FILE, "image", onProgress, signal);

for (const permission of [FORM, RAW]) {
  test(`a file goes to the bucket by ${permission.method}, and then the app is told`, async (context) => {
    const sent = fakeStore(204);
    const asked = fakeRoute(context, permission, UPLOADED);
    const parts = [];
    assert.deepEqual(await upload((part) => parts.push(part)), UPLOADED);
    assert.deepEqual(parts, [0.4, 1]);
    const [{ body, ...request }] = sent;
    const { url, method, headers = {} } = permission;
    assert.deepEqual(request, { url, method, headers });
    if (permission === FORM) assert.deepEqual([...body.keys()], ["key", "Policy", "file"]);
    else assert.equal(body, FILE);
    assert.deepEqual(asked, [
      ["/api/uploads", "POST", "application/json", { kind: "image", type: "image/png", size: 5 }],
      ["/api/uploads", "PUT", "application/json", { key: "uploads/ann/1", kind: "image", name: "cat.png" }],
    ]);
  });
}

test("what the app says against it is the error", async (context) => {
  fakeRoute(context, Response.json({ error: "sign in first" }, { status: 401 }));
  await assert.rejects(upload(), { message: "sign in first" });
});

test("an answer that is not JSON is an error with its status", async (context) => {
  fakeRoute(context, new Response("<html>", { status: 502 }));
  await assert.rejects(upload(), /the app answered 502/);
});

test("a bucket that refuses or is away is an error, and the app is not told of a file", async (context) => {
  for (const [outcome, message] of [
    [403, /refused the file \(403\)/],
    ["away", /CORS/],
  ]) {
    fakeStore(outcome);
    const asked = fakeRoute(context, FORM);
    await assert.rejects(upload(), message);
    assert.equal(asked.length, 1);
    context.mock.restoreAll();
  }
});

test("the app is told again if the connection breaks", async (context) => {
  fakeStore(204);
  const pauses = fakeClock(context);
  const asked = fakeRoute(context, FORM, new TypeError("network"), UPLOADED);
  assert.deepEqual(await upload(), UPLOADED);
  assert.deepEqual([asked.length, pauses.length], [3, 1]);
});

/** A clock that goes on only by the pauses, which end at once. Returns them, in milliseconds. */
function fakeClock(context, onPause = () => {}) {
  let now = 1_000_000;
  const pauses = [];
  context.mock.method(Date, "now", () => now);
  context.mock.method(globalThis, "setTimeout", (work, pause) => {
    now += pause;
    pauses.push(pause);
    if (onPause() !== "stays") queueMicrotask(work);
  });
  return pauses;
}

const away = () => Response.json({ error: "it can't be processed now" }, { status: 503 });
const sum = (numbers) => numbers.reduce((all, one) => all + one, 0);

test("the app is told again while its queue or its host is away", async (context) => {
  fakeStore(204);
  const pauses = fakeClock(context);
  const asked = fakeRoute(
    context,
    FORM,
    away(),
    new TypeError("network"),
    new Response("<html>", { status: 502 }),
    UPLOADED,
  );
  assert.deepEqual(await upload(), UPLOADED);
  assert.deepEqual([asked.length, pauses.length], [5, 3]);
  assert.ok(asked.slice(1).every(([, method, , { key }]) => method === "PUT" && key === FORM.key));
});

for (const [name, answer, message] of [
  ["away", away, "it can't be processed now"],
  ["silent", () => new TypeError("Failed to fetch"), "the app answered nothing"],
]) {
  test(`after half a minute it is an error that the app is ${name}`, async (context) => {
    fakeStore(204);
    const pauses = fakeClock(context);
    fakeRoute(context, FORM, ...Array.from({ length: 100 }, answer));
    await assert.rejects(upload(), { message });
    assert.ok(sum(pauses) >= 25_000 && sum(pauses) <= 40_000, String(pauses));
  });
}

test("what the app refuses is not sent again, and neither is the question for permission", async (context) => {
  fakeStore(204);
  const pauses = fakeClock(context);
  fakeRoute(context, FORM, Response.json({ error: "not yours" }, { status: 403 }));
  await assert.rejects(upload(), { message: "not yours" });
  fakeRoute(context, away());
  await assert.rejects(upload(), { message: "it can't be processed now" });
  assert.deepEqual(pauses, []);
});

test("a pause ends with the upload that is aborted", async (context) => {
  fakeStore(204);
  const controller = new AbortController();
  fakeClock(context, () => {
    queueMicrotask(() => controller.abort(new Error("enough")));
    return "stays";
  });
  const asked = fakeRoute(context, FORM, away(), UPLOADED);
  await assert.rejects(
    upload(() => {}, controller.signal),
    { message: "enough" },
  );
  assert.equal(asked.length, 2);
});

test("an upload can be aborted", async (context) => {
  fakeStore("abort");
  const asked = fakeRoute(context, FORM, UPLOADED);
  const controller = new AbortController();
  const uploading = upload(() => controller.abort(new Error("enough")), controller.signal);
  await assert.rejects(uploading, { message: "enough" });
  assert.equal(asked.length, 1);
  await assert.rejects(
    upload(() => {}, controller.signal),
    { message: "enough" },
  );
});
