import assert from "node:assert/strict";
import { test } from "node:test";
import { jobRoute } from "pushmill/next";

const REF = { id: "17", queue: "file-processing" };
const seen = (state, more) => ({
  ...REF,
  name: "process-image",
  state,
  progress: 0,
  data: { userId: 1, filePath: "secret" },
  ...more,
});
const progress = (more) => ({ type: "progress", job: seen("active", more) });
const DONE = { type: "completed", job: seen("completed", { progress: 100, result: { url: "u" } }) };
const FAILED = { type: "failed", job: seen("failed", { reason: "no image" }) };

/** A source with one job and its events. */
function source(job, ...events) {
  const asked = [];
  return {
    asked,
    status: async (ref) => {
      asked.push(ref);
      return job;
    },
    async *events(_, { signal }) {
      for (const event of events) {
        if (event instanceof Error) throw event;
        if (event === "wait") await new Promise((resolve) => signal.addEventListener("abort", resolve));
        else yield event;
      }
    },
  };
}

/** What the route answers. */
async function get(jobs, { user = 1, headers = {}, params = REF, signal } = {}) {
  const { GET } = jobRoute({ source: jobs, userId: async () => user });
  const address = "https://app.example.com/api/jobs/q/1";
  return await GET(new Request(address, { headers, signal }), { params: Promise.resolve(params) });
}

const parts = (text) => text.split("\n\n").filter(Boolean);
const sent = (text) => parts(text).filter((part) => part.includes("data: "));
const types = (text) => sent(text).map((part) => /event: (.*)/.exec(part)[1]);
const ids = (text) => sent(text).map((part) => /id: (.*)/.exec(part)?.[1]);

test("the events have no payload, and end with the job", async () => {
  const response = await get(source(seen("active"), progress(), progress({ progress: 50 }), DONE));
  assert.deepEqual([response.status, response.headers.get("content-type")], [200, "text/event-stream"]);
  assert.match(response.headers.get("cache-control"), /no-store.*no-transform/);
  const text = await response.text();
  assert.equal(parts(text)[0], "retry: 1000");
  assert.deepEqual(types(text), ["progress", "progress", "completed"]);
  const data = sent(text).map((part) => JSON.parse(/data: (.*)/.exec(part)[1]));
  assert.deepEqual(data.at(-1), {
    ...REF,
    name: "process-image",
    state: "completed",
    progress: 100,
    result: { url: "u" },
  });
  assert.equal(new Set(ids(text)).size, 3);
  assert.ok(!text.includes("secret"));
});

test("a failed job says why, and a removed one that it is gone", async () => {
  const text = await (await get(source(seen("active"), FAILED))).text();
  assert.ok(text.includes('"reason":"no image"'));
  assert.deepEqual(types(await (await get(source(seen("active"), { type: "gone", job: REF }))).text()), ["gone"]);
});

test("a browser that comes back gets only what is newer", async () => {
  const [first, , last] = ids(
    await (await get(source(seen("active"), progress(), progress({ progress: 50 }), DONE))).text(),
  );
  const again = await get(source(seen("active"), progress(), DONE), { headers: { "Last-Event-ID": first } });
  assert.deepEqual(types(await again.text()), ["completed"]);
  const ended = await get(source(DONE.job, DONE), { headers: { "Last-Event-ID": last } });
  assert.deepEqual([ended.status, await ended.text()], [204, ""]);
});

test("with Accept: application/json comes the job as it is", async () => {
  const response = await get(source(FAILED.job), { headers: { Accept: "application/json" } });
  assert.equal(response.headers.get("cache-control"), "no-store");
  assert.deepEqual(await response.json(), {
    ...REF,
    name: "process-image",
    state: "failed",
    progress: 0,
    reason: "no image",
  });
});

for (const [what, data, user, status] of [
  ["the same number", { userId: 1 }, 1, 200],
  ["a number and its text", { userId: 1 }, "1", 200],
  ["a text and its number", { userId: "1" }, 1, 200],
  ["another user", { userId: 2 }, 1, 404],
  ["no user", {}, 1, 404],
  ["a batch for all", { all: true }, 1, 404],
  ["no payload", null, "null", 404],
  ["a null user", { userId: null }, "null", 404],
  ["a list that looks like the user", { userId: [1] }, 1, 404],
  ["an object that looks like the user", { userId: { toString: "1" } }, 1, 404],
  ["no session", { userId: 1 }, null, 401],
  ["an empty session", { userId: "" }, "", 401],
]) {
  test(`${what}: ${status}`, async () => {
    for (const headers of [{ Accept: "application/json" }, {}]) {
      const jobs = source(seen("active", { data }), DONE);
      const response = await get(jobs, { user, headers });
      assert.equal(response.status, status);
      if (status !== 200) assert.deepEqual(Object.keys(await response.json()), ["error"]);
      if (status === 401) assert.deepEqual(jobs.asked, []);
    }
  });
}

test("another user's job and a job that is not there get the same answer", async () => {
  const answers = [source(seen("active")), source(null)].map(async (jobs) => {
    const response = await get(jobs, { user: 2 });
    return [response.status, await response.text(), [...response.headers]];
  });
  const [others, none] = await Promise.all(answers);
  assert.deepEqual(others, none);
});

test("ids of any kind reach the source as they are meant", async () => {
  const jobs = source(null);
  for (const id of ["repeat%3Aa%3A1", "50%", "%E0%A4%A", "../..", "x".repeat(501)]) {
    assert.equal((await get(jobs, { params: { queue: "q", id } })).status, 404);
  }
  assert.deepEqual(
    jobs.asked.map(({ id }) => id),
    ["repeat:a:1", "50%", "%E0%A4%A", "../.."],
  );
});

test("params may be no promise (Next.js 14)", async () => {
  const { GET } = jobRoute({ source: source(seen("active"), DONE), userId: () => 1 });
  assert.equal((await GET(new Request("https://app.example.com"), { params: REF })).status, 200);
});

test("a source that fails at the start is the app's to see, one that fails later ends the answer", async (context) => {
  const broken = { ...source(null), status: async () => Promise.reject(new Error("Redis can't be reached")) };
  await assert.rejects(get(broken), /Redis/);
  const logged = context.mock.method(console, "error", () => {});
  const text = await (await get(source(seen("active"), progress(), new Error("Redis went away")))).text();
  assert.deepEqual(types(text), ["progress"]);
  assert.match(logged.mock.calls[0].arguments[0], /job 17 broke off: Redis went away/);
});

test("a comment comes every 15 seconds, and the answer ends after five minutes", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const response = await get(source(seen("active"), progress(), "wait"));
  const text = response.text();
  for (let tick = 0; tick < 20; tick++) {
    await new Promise(setImmediate);
    context.mock.timers.tick(15_000);
  }
  assert.equal(parts(await text).filter((part) => part === ": no news").length, 19);
});

test("a browser that leaves ends the events", async () => {
  for (const leave of ["cancel", "abort"]) {
    const aborter = new AbortController();
    let left;
    const over = new Promise((resolve) => {
      left = resolve;
    });
    const jobs = source(seen("active"));
    jobs.events = async function* (_, { signal }) {
      signal.addEventListener("abort", left);
      yield progress();
      await over;
    };
    const response = await get(jobs, { signal: aborter.signal });
    const reader = response.body.getReader();
    await reader.read();
    if (leave === "cancel") await reader.cancel();
    else aborter.abort();
    await over;
  }
});
