import assert from "node:assert/strict";
import { test } from "node:test";
import { uploadRoutes } from "pushmill/next";
import { fakeBucket, STORAGE } from "./support/fake-bucket.mjs";
import { fakeTable } from "./support/fake-table.mjs";
import { BODIES, mutate, random } from "./support/hostile.mjs";
import { read, send, userId } from "./support/requests.mjs";

const PICTURE = { kind: "image", type: "image/png", size: 1000 };

function app(context, options = {}) {
  const table = fakeTable({ unique: ["key"] });
  const jobs = [];
  const queues = { add: async (...job) => jobs.push(job) };
  const routes = uploadRoutes({ prisma: { file: table }, queues, userId, storage: STORAGE, ...options });
  const post = (body, as) => read(routes.POST(send("POST", body, as)));
  const put = (body, as) => read(routes.PUT(send("PUT", body, as)));
  return { table, jobs, post, put, ...fakeBucket(context) };
}

/** Ask for permission, and store what was announced. Returns the key. */
async function upload({ post, objects }, body = PICTURE, as = {}) {
  const answer = await post(body, as);
  assert.equal(answer.status, 200, JSON.stringify(answer));
  objects.set(`app/${answer.body.key}`, { type: body.type, size: body.size });
  return answer.body.key;
}

test("POST permits one object of this type and size, under the user's key", async (context) => {
  const { post } = app(context);
  const { status, body } = await post({ ...PICTURE, name: "../../etc/passwd", key: "uploads/bob/1" });
  assert.equal(status, 200);
  assert.match(body.key, /^uploads\/ann\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.deepEqual([body.method, body.url], ["POST", "https://store.example/pictures"]);
  assert.deepEqual([body.fields.key, body.fields["Content-Type"]], [`app/${body.key}`, "image/png"]);
  const { expiration, conditions } = JSON.parse(Buffer.from(body.fields.Policy, "base64"));
  assert.ok(Date.parse(expiration) - Date.now() <= 3_601_000);
  for (const wanted of [
    { key: `app/${body.key}` },
    { "Content-Type": "image/png" },
    { bucket: "pictures" },
    ["content-length-range", 1, 1000],
  ]) {
    assert.ok(
      conditions.some((condition) => JSON.stringify(condition) === JSON.stringify(wanted)),
      JSON.stringify(wanted),
    );
  }
});

test("with method put the URL is signed for this type and size", async (context) => {
  const { body } = await app(context, { method: "put" }).post(PICTURE);
  assert.deepEqual([body.method, body.headers], ["PUT", { "Content-Type": "image/png" }]);
  const { searchParams, pathname } = new URL(body.url);
  assert.equal(pathname, `/pictures/app/${body.key}`);
  assert.equal(searchParams.get("X-Amz-SignedHeaders"), "content-length;content-type;host");
});

test("two permissions are for two keys", async (context) => {
  const { post } = app(context);
  assert.notEqual((await post(PICTURE)).body.key, (await post(PICTURE)).body.key);
});

const JOBS = [
  ["image", "image/png", "process-image", {}],
  ["video", "video/mp4", "process-video", {}],
  ["file", "application/pdf", "process-file", { operation: "extract_text" }],
];
for (const [kind, type, job, work] of JOBS) {
  test(`a stored ${kind} gets a row and the job ${job}, once`, async (context) => {
    const routes = app(context);
    const key = await upload(routes, { kind, type, size: 10 });
    const first = await routes.put({ key, kind, name: "holiday.xyz" });
    const jobId = `upload-${key.split("/").at(-1)}`;
    const expected = { fileId: "row-1", job: { id: jobId, queue: "file-processing" } };
    assert.deepEqual(first, { status: 201, body: expected });
    assert.deepEqual(await routes.put({ key, kind, name: "holiday.xyz" }), { status: 200, body: expected });
    const { updatedAt, ...row } = routes.table.rows[0];
    assert.deepEqual(row, { id: "row-1", userId: "ann", key, kind, name: "holiday.xyz" });
    assert.equal(routes.table.rows.length, 1);
    const added = [job, { ...work, fileId: "row-1", filePath: key, userId: "ann" }, { jobId }];
    assert.deepEqual(routes.jobs, [added, added]); // the queue drops the second one, because it has the first one's id
  });
}

test("an avatar has no row", async (context) => {
  const routes = app(context, { jobs: { avatar: { options: { sizes: [64] } } } });
  const key = await upload(routes, { kind: "avatar", type: "image/jpeg", size: 10 });
  const { status, body } = await routes.put({ key, kind: "avatar" });
  assert.deepEqual([status, body.fileId, routes.table.rows], [201, null, []]);
  assert.deepEqual(routes.jobs[0].slice(0, 2), [
    "optimize-avatar",
    { options: { sizes: [64] }, filePath: key, userId: "ann" },
  ]);
});

test("the app says what a job does, and the browser does not", async (context) => {
  const routes = app(context, { jobs: { image: { options: { formats: ["webp"] } } } });
  const key = await upload(routes);
  await routes.put({ key, kind: "image", options: { widths: [16] }, fileId: "7", userId: "bob", filePath: "secret" });
  assert.deepEqual(routes.jobs[0][1], {
    options: { formats: ["webp"] },
    fileId: "row-1",
    filePath: key,
    userId: "ann",
  });
});

test("a client of the API does as well as a queue", async (context) => {
  const submitted = [];
  const queues = { submit: async (...job) => submitted.push(job) };
  const routes = app(context, { queues });
  const key = await upload(routes);
  assert.equal((await routes.put({ key, kind: "image" })).status, 201);
  assert.equal(submitted.length, 1);
});

test("requests at once make one row", async (context) => {
  const routes = app(context);
  const key = await upload(routes);
  const answers = await Promise.all(Array.from({ length: 5 }, () => routes.put({ key, kind: "image" })));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 200, 200, 200, 201]);
  assert.equal(new Set(answers.map(({ body }) => JSON.stringify(body))).size, 1);
  assert.equal(routes.table.rows.length, 1);
});

test("if the job can't be added, the same request adds it later", async (context) => {
  let isAway = true;
  const added = [];
  const add = async (...job) => {
    if (isAway) throw new Error("no connection to Redis");
    added.push(job);
  };
  const routes = app(context, { queues: { add } });
  const key = await upload(routes);
  await assert.rejects(routes.put({ key, kind: "image" }), /Redis/);
  isAway = false;
  assert.equal((await routes.put({ key, kind: "image" })).status, 200);
  assert.deepEqual([added.length, routes.table.rows.length], [1, 1]);
});

const OUTAGES = [
  ["Redis is away", { name: "RedisError", mayBeDone: false }, "2"],
  ["Redis did not answer", { name: "RedisError", mayBeDone: true }, "2"],
  ["web.py did not answer", { name: "PushmillError", status: 0 }, "2"],
  ["web.py takes no more", { name: "PushmillError", status: 429, retryAfter: 6.5 }, "7"],
  ["web.py is away", { name: "PushmillError", status: 503 }, "2"],
];
for (const [what, fault, wait] of OUTAGES) {
  test(`if ${what}, the answer is 503, and the same request adds the job later`, async (context) => {
    const said = context.mock.method(console, "error", () => {});
    const errors = [Object.assign(new Error("redis:6379 is away"), fault)];
    const jobs = [];
    const add = async (...job) => {
      for (const error of errors.splice(0)) throw error;
      jobs.push(job);
    };
    const table = fakeTable({ unique: ["key"] });
    const routes = app(context, { queues: { add }, prisma: { file: table } });
    const body = { key: await upload(routes), kind: "image" };
    const { PUT } = uploadRoutes({ prisma: { file: table }, queues: { add }, userId, storage: STORAGE });
    const answer = await PUT(send("PUT", body));
    assert.deepEqual([answer.status, answer.headers.get("retry-after")], [503, wait]);
    assert.deepEqual(await answer.json(), { error: "the file is stored, but it can't be processed now" });
    assert.match(
      said.mock.calls[0].arguments[0],
      /^pushmill: job upload-[\w-]+ can't be added now: redis:6379 is away$/,
    );
    assert.equal((await routes.put(body)).status, 200);
    assert.deepEqual([jobs.length, table.rows.length], [1, 1]);
  });
}

for (const fault of [
  { name: "RedisError" },
  { name: "PushmillError", status: 401 },
  { name: "TypeError", status: 503 },
]) {
  test(`the app sees the error ${JSON.stringify(fault)}`, async (context) => {
    const add = () => Promise.reject(Object.assign(new Error("a fault"), fault));
    const routes = app(context, { queues: { add } });
    await assert.rejects(routes.put({ key: await upload(routes), kind: "image" }), /a fault/);
  });
}

for (const [status, count] of [
  ["processing", 1],
  ["processed", 1],
  ["FAILED", 1],
  ["pending", 2],
  ["PENDING", 2],
  ["new", 2], // the app's own word
  [null, 2],
]) {
  test(`of a file that is ${status} a repeated request adds ${count - 1} jobs`, async (context) => {
    const routes = app(context);
    const body = { key: await upload(routes), kind: "image" };
    const first = await routes.put(body);
    routes.table.rows[0].status = status;
    assert.deepEqual(await routes.put(body), { ...first, status: 200 });
    assert.equal(routes.jobs.length, count);
  });
}

const STORED = [
  [409, "is not there", undefined],
  [422, "is empty", { type: "image/png", size: 0 }],
  [422, "is too large", { type: "image/png", size: 65 * 2 ** 20 }],
  [422, "has another type", { type: "text/html", size: 10 }],
  [422, "has no type", { type: "", size: 10 }],
];
for (const [status, what, object] of STORED) {
  test(`an object that ${what} gets no row and no job`, async (context) => {
    const routes = app(context);
    const key = await upload(routes);
    routes.objects.delete(`app/${key}`);
    if (object) routes.objects.set(`app/${key}`, object);
    assert.equal((await routes.put({ key, kind: "image" })).status, status);
    assert.deepEqual([routes.table.rows, routes.jobs], [[], []]);
  });
}

test("an image is not processed as a video", async (context) => {
  const routes = app(context);
  assert.equal((await routes.put({ key: await upload(routes), kind: "video" })).status, 422);
});

test("a store that refuses is the app's to see", async (context) => {
  const routes = app(context);
  const key = await upload(routes);
  context.mock.method(globalThis, "fetch", async () => new Response(null, { status: 403 }));
  await assert.rejects(routes.put({ key, kind: "image" }), /bucket pictures answers 403/);
});

test("nobody without a session gets a permission or a job", async (context) => {
  const routes = app(context);
  assert.equal((await routes.post("no JSON", { user: null })).status, 401);
  assert.equal((await routes.put("no JSON", { user: null })).status, 401);
});

test("another site and a form get nothing", async (context) => {
  const routes = app(context);
  const json = { "content-type": "application/json" };
  assert.equal((await routes.post(PICTURE, { headers: { ...json, origin: "https://evil.example" } })).status, 403);
  assert.equal((await routes.post(PICTURE, { headers: { "content-type": "text/plain" } })).status, 415);
  assert.equal((await routes.post({ ...PICTURE, name: "x".repeat(5000) })).status, 413);
});

for (const [name, body] of BODIES) {
  test(`a body that is ${name} is refused`, async (context) => {
    const routes = app(context);
    for (const method of ["post", "put"]) {
      const { status, body: answer } = await routes[method](body);
      assert.ok([400, 413, 422].includes(status), `${method} ${status}`);
      assert.match(answer.error, /^[^\n]{5,300}$/);
    }
  });
}

const REFUSED = [
  { kind: "svg" },
  { kind: "__proto__" },
  { kind: "constructor" },
  { kind: ["image"] },
  { type: "text/html" },
  { type: "image/svg+xml" },
  { type: "image/png\r\nx-amz-acl: public-read" },
  { type: ["image/png"] },
  { type: "" },
  { size: 0 },
  { size: -1 },
  { size: 1.5 },
  { size: 2 ** 27 },
  { size: Number.MAX_VALUE },
  { size: "1000" },
  { size: null },
];
for (const fault of REFUSED) {
  test(`no permission for ${JSON.stringify(fault)}`, async (context) => {
    const { status, body } = await app(context).post({ ...PICTURE, ...fault });
    assert.equal(status, 422);
    assert.match(body.error, /^[^\n]{5,400}$/);
  });
}

test("the app may narrow or widen what a kind takes", async (context) => {
  const routes = app(context, { types: { file: ["application/zip"] }, maxBytes: { image: 999 } });
  assert.equal((await routes.post({ kind: "file", type: "application/zip", size: 1 })).status, 200);
  assert.equal((await routes.post({ kind: "file", type: "application/pdf", size: 1 })).status, 422);
  assert.equal((await routes.post(PICTURE)).status, 422);
  assert.equal((await routes.post({ ...PICTURE, kind: "avatar" })).status, 200);
});

test("the type's parameters do not count", async (context) => {
  const { body } = await app(context).post({ kind: "file", type: "Text/Plain; charset=utf-8", size: 1 });
  assert.equal(body.fields["Content-Type"], "text/plain");
});

const UUID = "00000000-0000-4000-8000-000000000000";
const KEYS = [
  `uploads/bob/${UUID}`,
  `uploads/ann/../bob/${UUID}`,
  `uploads/ann/./${UUID}`,
  `uploads//ann/${UUID}`,
  `/uploads/ann/${UUID}`,
  `app/uploads/ann/${UUID}`,
  `uploads/ann/${UUID}/`,
  `uploads/ann/${UUID}/x`,
  `uploads/ann/${UUID}\n`,
  `uploads/ann/${UUID}?versionId=1`,
  `uploads/ann/${UUID.toUpperCase().replaceAll("0", "A")}`,
  `uploads/ann%2f${UUID}`,
  `uploads%2Fann%2F${UUID}`,
  `uploads\\ann\\${UUID}`,
  `uploads/Ann/${UUID}`,
  `uploads/ann/${"x".repeat(36)}`,
  "uploads/ann/",
  "uploads/ann",
  "",
  "\ud800",
  "__proto__",
  "s3://pictures/secret",
];
for (const key of KEYS) {
  test(`the key ${JSON.stringify(key)} is not ann's`, async (context) => {
    const routes = app(context);
    assert.equal((await routes.put({ key, kind: "image" })).status, 403);
    assert.deepEqual(routes.asked, []);
  });
}

for (const key of [null, 7, {}, ["uploads"], undefined]) {
  test(`a key that is ${JSON.stringify(key)} is refused`, async (context) => {
    assert.equal((await app(context).put({ key, kind: "image" })).status, 422);
  });
}

const IDS = [
  "a/b",
  "../bob",
  ".",
  "..",
  "bob/",
  "Zoë",
  "名",
  "a b",
  "%2e",
  "a\\b",
  "\0",
  "x".repeat(100),
  "id.1",
  "\ud800",
  "\udfff",
];
test("whatever a user's id is, the key has three plain parts, and no other user's", async (context) => {
  const folders = new Set();
  for (const id of [...IDS, "bob", "ann", 7, -7]) {
    const routes = app(context, { userId: () => id });
    const key = await upload(routes);
    assert.match(key, /^uploads\/[\w.-]{1,70}\/[0-9a-f-]{36}$/);
    folders.add(key.split("/")[1]);
    assert.equal((await routes.put({ key, kind: "image" })).status, 201);
  }
  assert.equal(folders.size, IDS.length + 4);
  assert.ok(![...folders].some((folder) => folder.startsWith(".")));
});

test("an id that is the hash of another one has another folder", async (context) => {
  const folderOf = async (id) => (await upload(app(context, { userId: () => id }))).split("/")[1];
  const hashed = await folderOf("a/b");
  const hash = /[0-9a-f]{64}$/.exec(hashed)[0];
  assert.equal(await folderOf(hash), hash);
  assert.notEqual(hashed, hash);
});

const NAMES = [
  ["../../etc/passwd", "passwd"],
  ["C:\\fakepath\\cat.png", "cat.png"],
  ["<script>.png", "<script>.png"],
  ["名前 😀.png", "名前 😀.png"],
  ["x".repeat(300), "x".repeat(255)],
  [`${"😀".repeat(256)}`, "😀".repeat(255)],
  ["", ""],
  [null, null],
  [undefined, null],
];
for (const [name, stored] of NAMES) {
  test(`the name ${JSON.stringify(name)?.slice(0, 30)} is stored as ${JSON.stringify(stored).slice(0, 30)}`, async (context) => {
    const routes = app(context);
    const key = await upload(routes);
    assert.equal((await routes.put({ key, kind: "image", name })).status, 201);
    assert.equal(routes.table.rows[0].name, stored);
  });
}
for (const name of ["a\nb", "\0", "\ud800.png", 7, {}, ["x"]]) {
  test(`the name ${JSON.stringify(name)} is refused`, async (context) => {
    const routes = app(context);
    assert.equal((await routes.put({ key: await upload(routes), kind: "image", name })).status, 422);
    assert.deepEqual(routes.table.rows, []);
  });
}

test("whatever is changed in a body, the answer is one of those described, and rows are whole", async (context) => {
  const chance = random(15);
  const routes = app(context);
  const key = await upload(routes);
  for (let count = 0; count < 2000; count++) {
    const asked = await routes.post(mutate({ ...PICTURE, name: "a.png", more: { deep: [1] } }, chance));
    assert.ok([200, 400, 413, 422].includes(asked.status), String(asked.status));
    const stored = await routes.put(mutate({ key, kind: "image", name: "a.png", more: { deep: [1] } }, chance));
    assert.ok([200, 201, 400, 403, 413, 422].includes(stored.status), String(stored.status));
  }
  assert.equal(routes.table.rows.length, 1);
  assert.equal({}.isAdmin, undefined);
});

test("without a bucket the error names STORAGE_URL", async (context) => {
  await assert.rejects(app(context, { storage: { url: "file:///srv/media" } }).post(PICTURE), /STORAGE_URL/);
});
