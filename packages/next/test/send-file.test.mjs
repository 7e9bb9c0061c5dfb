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
  const asked = fakeRoute(context, FORM, new TypeError("network"), UPLOADED);
  assert.deepEqual(await upload(), UPLOADED);
  assert.equal(asked.length, 3);
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
