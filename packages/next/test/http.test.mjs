import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient, createSchedules, JobFailedError, PushmillError } from "pushmill/http";

const TOKEN = "secret-token";
const JOB = { id: "17", queue: "file-processing" };
const json = (value, status = 200, headers = {}) => new Response(JSON.stringify(value), { status, headers });
const problem = (status, detail, more = {}, headers = {}) =>
  json({ title: "no", status, detail, ...more }, status, headers);
const seen = (state, more = {}) => ({ ...JOB, name: "process-image", wire: "bullmq", state, progress: 0, ...more });

/** A client of a server that gives these answers in turn (the last one for ever), and what it was asked. */
function client(...answers) {
  const asked = [];
  const fetch = async (url, init) => {
    asked.push({ url, ...init });
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer instanceof Error) throw answer;
    return typeof answer === "function" ? answer(init) : answer.clone();
  };
  const options = { url: "https://queue.example.com/", token: TOKEN, fetch };
  return { asked, queue: createClient(options), schedules: createSchedules(options) };
}

/** Lets no pause wait; the limits of an answer's time stay. */
function hurry(context) {
  const [later, limits] = [globalThis.setTimeout, [20_000, 60_000]];
  context.mock.method(globalThis, "setTimeout", (call, ms) => later(call, limits.includes(ms) ? ms : 0));
}

async function all(events) {
  const got = [];
  for await (const event of events) got.push(event);
  return got;
}

/** An answer of events whose body comes in these pieces; an Error cuts it. */
function stream(...pieces) {
  return () =>
    new Response(
      new ReadableStream({
        pull(controller) {
          const piece = pieces.shift();
          if (piece === undefined) controller.close();
          else if (piece instanceof Error) controller.error(piece);
          else controller.enqueue(typeof piece === "string" ? new TextEncoder().encode(piece) : piece);
        },
      }),
      { headers: { "Content-Type": "text/event-stream" } },
    );
}
/** An answer whose body gives nothing. */
const silent = ({ signal }) =>
  new Response(new ReadableStream({ start: (it) => signal.addEventListener("abort", () => it.error(signal.reason)) }));
const sse = (id, event, job) => `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(job)}\n\n`;

test("a job is submitted with the token and a key of its own", async () => {
  const { asked, queue } = client(json({ ...JOB, wire: "bullmq" }, 202));
  assert.deepEqual(await queue.submit("process-image", { fileId: 1 }, { attempts: 2 }), { ...JOB, wire: "bullmq" });
  const [{ url, method, headers, body, redirect }] = asked;
  assert.deepEqual([url, method, redirect], ["https://queue.example.com/queue/jobs", "POST", "manual"]);
  assert.equal(headers.Authorization, `Bearer ${TOKEN}`);
  assert.match(headers["Idempotency-Key"], /^[\da-f-]{36}$/);
  assert.deepEqual(JSON.parse(body), { name: "process-image", data: { fileId: 1 }, options: { attempts: 2 } });
});

test("the caller's key is sent, and none with an id of the caller's, which the key would replace", async () => {
  const { asked, queue } = client(json({ ...JOB, wire: "bullmq" }, 202));
  await queue.submit("process-image", {}, { idempotencyKey: "mine" });
  await queue.submit("process-image", {}, { jobId: "file-1" });
  await queue.submitBatch([], { idempotencyKey: "batch" }).catch(() => {});
  assert.deepEqual(
    asked.map(({ headers }) => headers["Idempotency-Key"]),
    ["mine", undefined, "batch"],
  );
});

test("the tries of one call have the same key, and another call another", async (context) => {
  hurry(context);
  const { asked, queue } = client(
    new TypeError("fetch failed"),
    problem(503, "Redis"),
    json({ ...JOB, wire: "rq" }, 202),
  );
  await queue.submit("process-image", {});
  await queue.submit("process-image", {});
  const keys = asked.map(({ headers }) => headers["Idempotency-Key"]);
  assert.equal(keys.length, 4);
  assert.equal(new Set(keys.slice(0, 3)).size, 1);
  assert.equal(new Set(keys).size, 2);
});

test("a batch gives the jobs in their order", async () => {
  const jobs = [1, 2].map((id) => ({ id: `${id}`, queue: "q", wire: "bullmq" }));
  const { asked, queue } = client(json({ jobs }, 202));
  assert.deepEqual(await queue.submitBatch([{ name: "process-image", data: {} }]), jobs);
  assert.deepEqual(JSON.parse(asked[0].body), { jobs: [{ name: "process-image", data: {} }] });
});

test("a refusal has the status, the detail, the faults, and when to ask again", async (context) => {
  hurry(context);
  const errors = [{ field: "body.jobs.3", detail: "no" }];
  const { asked, queue } = client(problem(422, "bad payload", { errors }));
  await assert.rejects(queue.submit("process-image", {}), (error) => {
    assert.ok(error instanceof PushmillError && error instanceof Error);
    const { name, message, status, detail, retryAfter } = error;
    assert.deepEqual([name, message, status, detail], ["PushmillError", "422: bad payload", 422, "bad payload"]);
    assert.deepEqual([error.errors, retryAfter], [errors, undefined]);
    return true;
  });
  assert.equal(asked.length, 1);
  const busy = client(problem(429, "too many", {}, { "Retry-After": "2" }));
  await assert.rejects(busy.queue.submit("process-image", {}), { status: 429, retryAfter: 2 });
  assert.equal(busy.asked.length, 3);
});

test("a pause that is longer than a route should take is the caller's", async () => {
  const { asked, queue } = client(problem(429, "too many", {}, { "Retry-After": "60" }));
  await assert.rejects(queue.submit("process-image", {}), { status: 429, retryAfter: 60 });
  assert.equal(asked.length, 1);
});

for (const [what, answer] of Object.entries({
  "a proxy's page": new Response("<html>secret-token</html>", {
    status: 502,
    headers: { "Content-Type": "text/html" },
  }),
  "an empty answer": new Response(null, { status: 500 }),
  "a redirect": new Response(null, { status: 302, headers: { Location: "https://elsewhere.example.com" } }),
  "JSON without a detail": json({ error: "no" }, 400),
  "a list": json([1], 400),
  "a page in place of JSON": new Response("<html>", { status: 200 }),
  null: json(null),
  "another server's JSON": json({ hello: 1 }),
})) {
  test(`${what} is an error that repeats none of it`, async () => {
    const { queue } = client(answer);
    const foreign = { name: "PushmillError", message: /^\d+: not an answer of Pushmill's API$/ };
    await assert.rejects(queue.status(JOB), foreign);
    await assert.rejects(queue.submitBatch([]), foreign);
    if (!answer.ok || what.startsWith("a page")) await assert.rejects(queue.retry(JOB), foreign);
  });
}

test("a cancel key is cancelled, for a day unless it says how long", async () => {
  const { asked, queue } = client(json({ outcome: "cancelled" }));
  assert.equal(await queue.cancel("message:42"), undefined);
  await queue.cancel(42, { seconds: 60 });
  assert.deepEqual(
    asked.map(({ url, method, body }) => [url, method, body]),
    ['{"cancelKey":"message:42"}', '{"cancelKey":42,"seconds":60}'].map((body) => [
      "https://queue.example.com/queue/cancel",
      "POST",
      body,
    ]),
  );
});

test("a schedule is set and removed, also if it is gone", async () => {
  const { asked, schedules } = client(
    json({ id: "a b", queue: "q" }),
    json({ outcome: "removed" }),
    problem(404, "gone"),
  );
  const schedule = await schedules.set("a b", { name: "process-image", data: {}, cron: "0 3 * * *" });
  assert.deepEqual(schedule, { id: "a b", queue: "q" });
  for (let i = 0; i < 2; i++) assert.equal(await schedules.remove(schedule), undefined);
  assert.deepEqual(
    asked.map(({ url, method, body }) => [url, method, body]),
    [
      [
        "https://queue.example.com/queue/schedules/a%20b",
        "PUT",
        '{"name":"process-image","data":{},"cron":"0 3 * * *"}',
      ],
      ...Array(2).fill(["https://queue.example.com/queue/schedules/a%20b?queue=q", "DELETE", undefined]),
    ],
  );
  for (const answer of [json({}), problem(422, "the schedule has an empty cron or tz"), json({}, 404)]) {
    const { schedules } = client(answer);
    await assert.rejects(schedules.set("a", {}), { name: "PushmillError" });
  }
  await assert.rejects(client(json({}, 404)).schedules.remove(schedule), { status: 404 });
});

test("a retry of a job is not sent again if no answer came, for it may have begun", async () => {
  const { asked, queue } = client(new TypeError("fetch failed"));
  await assert.rejects(queue.retry(JOB), { status: 0, detail: "no answer from queue.example.com" });
  assert.equal(asked.length, 1);
  assert.equal(asked[0].url, "https://queue.example.com/queue/jobs/17/retry?queue=file-processing");
});

test("no error has the token, whatever fetch says", async (context) => {
  hurry(context);
  const { queue } = client(new TypeError(`invalid header value: Bearer ${TOKEN}`));
  await assert.rejects(queue.status(JOB), (error) => {
    assert.ok(!JSON.stringify([error.message, error.stack, error.cause, { ...error }]).includes(TOKEN));
    return true;
  });
});

for (const [what, options] of Object.entries({
  "no url": { token: TOKEN },
  "no token": { url: "https://queue.example.com" },
  "a token of two lines": { url: "https://queue.example.com", token: `${TOKEN}\n${TOKEN}` },
  "a url without a scheme": { url: "queue.example.com", token: TOKEN },
  "a url with a query": { url: "https://queue.example.com?a=1", token: TOKEN },
})) {
  test(`${what} is an error of the first call, which has no secret`, async () => {
    const queue = createClient({ ...options, fetch: () => assert.fail("nothing is asked") });
    await assert.rejects(queue.status(JOB), (error) => {
      assert.match(error.message, /^createClient: .*PUSHMILL_URL, PUSHMILL_TOKEN/);
      assert.ok(!error.message.includes(TOKEN));
      return error instanceof TypeError;
    });
  });
}

test("the end of a line after a token does no harm", async () => {
  const asked = [];
  const fetch = async (_, init) => asked.push(new Headers(init.headers).get("authorization")) && json(seen("active"));
  await createClient({ url: "https://queue.example.com", token: `${TOKEN}\n`, fetch }).status(JOB);
  assert.deepEqual(asked, [`Bearer ${TOKEN}`]);
});

test("a job that the API does not know is null, and a proxy's 404 is an error", async () => {
  assert.equal(await client(problem(404, "there is no such job (any more)")).queue.status(JOB), null);
  await assert.rejects(client(new Response("<html>", { status: 404 })).queue.status(JOB), { status: 404 });
});

test("hostile ids stay one part of the path", async () => {
  const { asked, queue } = client(problem(404, "no"));
  for (const id of ["../../metrics", "a/b?queue=c#d", "%2e%2e", "ä"]) await queue.status({ id, queue: "q&wire=rq" });
  for (const { url } of asked) {
    const { pathname, searchParams } = new URL(url);
    assert.match(pathname, /^\/queue\/jobs\/[^/]+$/);
    assert.equal(searchParams.get("queue"), "q&wire=rq");
    assert.equal(searchParams.get("wire"), null);
  }
});

test("wait follows the job until it has ended, and gives its result", async (context) => {
  hurry(context);
  const { asked, queue } = client(
    new TypeError("fetch failed"),
    stream(sse("a", "progress", seen("active"))),
    stream(sse("b", "completed", seen("completed", { result: { url: "u" } }))),
  );
  assert.deepEqual(await queue.wait({ ...JOB, wire: "bullmq" }), { url: "u" });
  assert.deepEqual(
    asked.map(({ url }) => new URL(url).pathname + new URL(url).search),
    Array(3).fill("/queue/jobs/17/events?queue=file-processing&wire=bullmq"),
  );
});

test("wait rejects with the reason, for a job that is gone, and after its time", async (context) => {
  hurry(context);
  const failed = sse("a", "failed", seen("failed", { reason: "no image" }));
  await assert.rejects(client(stream(failed)).queue.wait(JOB), (error) => {
    return error instanceof JobFailedError && error.message === "no image";
  });
  await assert.rejects(client(problem(404, "no")).queue.wait(JOB), {
    name: "JobFailedError",
    message: "job 17 was removed",
  });
  await assert.rejects(client(silent).queue.wait(JOB, { timeout: 30 }), { name: "TimeoutError" });
  await assert.rejects(client(new TypeError("fetch failed")).queue.wait(JOB), { name: "PushmillError", status: 0 });
});

test("a signal ends every call with its reason", async () => {
  const reason = new Error("left");
  for (const call of ["status", "wait", "retry"]) {
    const aborter = new AbortController();
    const { queue } = client(({ signal }) => {
      aborter.abort(reason);
      return Promise.reject(signal.aborted ? signal.reason : assert.fail("fetch has no signal"));
    });
    await assert.rejects(queue[call](JOB, { signal: aborter.signal }), reason);
    await assert.rejects(queue[call](JOB, { signal: AbortSignal.abort(reason) }), reason);
  }
});

test("a server that is silent is given up", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { queue } = client(
    ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  );
  const asked = queue.retry(JOB);
  context.mock.timers.tick(20_000);
  await assert.rejects(asked, { status: 0, detail: "no answer from queue.example.com" });
});

test("a body that stops in the middle is no answer", async (context) => {
  hurry(context);
  const { asked, queue } = client(
    stream('{"id": "17"', new Error("reset")),
    stream('{"id":"17","que', 'ue":"q","state":"active"}'),
  );
  assert.deepEqual(await queue.status(JOB), { id: "17", queue: "q", state: "active" });
  assert.equal(asked.length, 2);
});

test("events are read whatever the pieces in which they come", async () => {
  const active = seen("active", { progress: "ä€😀\u2028event: completed" });
  const text = `retry: 1000\n\n: hi\n\n${sse("a", "progress", active)}${sse("b", "completed", seen("completed", { result: 1 }))}`;
  const bytes = new TextEncoder().encode(text);
  const whole = await all(client(stream(bytes)).queue.events(JOB));
  assert.deepEqual(
    whole.map(({ type, job }) => [type, job.progress, job.result]),
    [
      ["progress", active.progress, undefined],
      ["completed", 0, 1],
    ],
  );
  for (let cut = 1; cut < bytes.length; cut++) {
    const got = await all(client(stream(bytes.slice(0, cut), bytes.slice(cut))).queue.events(JOB));
    assert.deepEqual(got, whole, `cut at ${cut}`);
  }
  assert.deepEqual(
    await all(client(stream(...Array.from(bytes, (byte) => Uint8Array.of(byte)))).queue.events(JOB)),
    whole,
  );
});

test("events go on after a cut, from the last one", async (context) => {
  hurry(context);
  const { asked, queue } = client(
    stream(sse("a", "progress", seen("active")), "id: b\nevent: progress\ndata: {", new Error("reset")),
    new TypeError("fetch failed"),
    problem(503, "too many clients wait", {}, { "Retry-After": "5" }),
    new Response("<html>", { status: 502 }),
    stream(": no news\n\n"),
    stream(sse("c", "failed", seen("failed", { reason: "no" }))),
  );
  const got = await all(queue.events(JOB));
  assert.deepEqual(
    got.map(({ type }) => type),
    ["progress", "failed"],
  );
  assert.deepEqual(
    asked.map(({ headers }) => headers["Last-Event-ID"] ?? ""),
    ["", "a", "a", "a", "a", "a"],
  );
  assert.ok(asked.every(({ url }) => url === "https://queue.example.com/queue/jobs/17/events?queue=file-processing"));
});

test("events end with a job that is gone, or whose end the client has", async () => {
  assert.deepEqual(await all(client(stream("event: gone\ndata: {}\n\n")).queue.events(JOB)), [
    { type: "gone", job: JOB },
  ]);
  assert.deepEqual(await all(client(problem(404, "no")).queue.events(JOB)), [{ type: "gone", job: JOB }]);
  assert.deepEqual(await all(client(new Response(null, { status: 204 })).queue.events(JOB)), []);
});

test("events are given up when the API refuses, or nothing comes many times", async (context) => {
  hurry(context);
  await assert.rejects(all(client(problem(401, "a token is needed")).queue.events(JOB)), { status: 401 });
  for (const [times, ...answers] of [
    [9, stream("<html>")],
    [9, stream("data: {}\n\n")],
    [9, stream(new Error("reset"))],
    [3, new TypeError("fetch failed")],
    [1, stream("event: progress\ndata: [1]\n\n")],
    [1, stream("event: progress\ndata: {\n\n")],
  ]) {
    const { asked, queue } = client(...answers);
    await assert.rejects(all(queue.events(JOB)), PushmillError);
    assert.equal(asked.length, times);
  }
  const begun = stream(sse("a", "progress", seen("active")));
  const { asked, queue } = client(begun, new TypeError("fetch failed"));
  await assert.rejects(all(queue.events(JOB)), { status: 0, detail: "no answer from queue.example.com" });
  assert.equal(asked.length, 1 + 9);
});

test("an event without end is not kept in memory", async (context) => {
  hurry(context);
  const chunk = new Uint8Array(2 ** 20).fill(97);
  let pieces = 0;
  const endless = () => new Response(new ReadableStream({ pull: (it) => it.enqueue(chunk, pieces++) }));
  await assert.rejects(all(client(endless).queue.events(JOB)), { detail: "an event is too large" });
  assert.ok(pieces < 20, `${pieces} MiB were read`);
});

test("a signal ends events, and the connection with them", async () => {
  const aborter = new AbortController();
  let ended = false;
  const { queue } = client(({ signal }) => {
    const body = new ReadableStream({
      start: (it) => {
        it.enqueue(new TextEncoder().encode(sse("a", "progress", seen("active"))));
        signal.addEventListener("abort", () => it.error(signal.reason));
      },
      cancel: () => {
        ended = true;
      },
    });
    return new Response(body);
  });
  for await (const { type } of queue.events(JOB, { signal: aborter.signal })) {
    assert.equal(type, "progress");
    aborter.abort();
  }
  for await (const _ of queue.events(JOB)) break;
  assert.ok(ended);
});

test("events whose connection is silent are asked for again", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const { asked, queue } = client(silent, stream(sse("b", "completed", seen("completed"))));
  const events = all(queue.events(JOB));
  while (asked.length < 2) {
    await new Promise(setImmediate);
    context.mock.timers.tick(5_000);
  }
  assert.deepEqual(
    (await events).map(({ type }) => type),
    ["completed"],
  );
});
