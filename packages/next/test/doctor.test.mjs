import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, afterEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import { environmentOf } from "../dist/esm/cli/doctor/environment.js";
import { doctor } from "../dist/esm/cli/doctor.js";
import { vapidKeys } from "../dist/esm/cli/init/vapid.js";
import { run, version } from "../dist/esm/cli/run.js";

const PACKAGE = fileURLToPath(new URL("..", import.meta.url));
const shipped = (name) => readFileSync(join(PACKAGE, name), "utf8");
const [KEYS, OTHER] = [vapidKeys(), vapidKeys()];
const folders = [];
const original = globalThis.fetch;

after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});
afterEach(() => {
  globalThis.fetch = original;
});

const FACTS = {
  vapidPublicKey: KEYS.publicKey,
  subscriptionTable: "PushSubscription",
  subscriptionColumns: "",
  storage: "s3://bucket/app",
  fileTable: "File",
  avatarTable: "",
  avatarColumn: "image",
};
const WORKER = {
  name: "w-1",
  version: version(),
  queues: ["push-notifications", "file-processing"],
  features: ["push", "media"],
  facts: FACTS,
};
const INFO = "redis_version:7.2.4\r\nmaxmemory_policy:noeviction\r\nrole:master\r\n";

/** Redis with these workers and further keys, below a prefix. */
function redisOf({ workers = [WORKER], prefix = "bull", info = INFO, error, ...keys } = {}) {
  const told = workers.map((worker) => [`${prefix}:pulse:worker:${worker.name}`, worker]);
  const names = workers.length > 0 ? { [`${prefix}:pulse:workers`]: workers.map(({ name }) => name) } : {};
  const metas = Object.fromEntries(
    WORKER.queues.map((queue) => [`${prefix}:${queue}:meta`, { version: "bullmq:6.7.0" }]),
  );
  return { info, error, keys: { ...names, ...Object.fromEntries(told), ...metas, ...keys } };
}

const ENV = {
  REDIS_URL: "redis://:hunter2@redis.example:6379",
  VAPID_PRIVATE_KEY: KEYS.privateKey,
  VAPID_PUBLIC_KEY: KEYS.publicKey,
  NEXT_PUBLIC_VAPID_PUBLIC_KEY: KEYS.publicKey,
  STORAGE_URL: "s3://bucket/app/",
  PUSHMILL_URL: "https://web.example",
  PUSHMILL_TOKEN: "secret-token",
};

/** web.py with these workers; `answers` are others, by path. */
function webPy({ workers = [WORKER], ...answers } = {}) {
  const known = { "/readyz": () => Response.json({}), "/queue/workers": () => Response.json(workers), ...answers };
  globalThis.fetch = async (url, { headers }) => {
    const { origin, pathname } = new URL(url);
    assert.equal(origin, "https://web.example");
    assert.equal(headers.authorization, "Bearer secret-token");
    return known[pathname]();
  };
}

/** An app's folder in which all is well, but for what is given. A file that is null is not there. */
function app({ env = {}, files = {}, redis = redisOf(), bullmq = "6.7.0", ioredis = "6.0.0" } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "pushmill-doctor-"));
  folders.push(folder);
  const variables = Object.entries({ ...ENV, ...env }).filter(([, value]) => value !== null);
  const all = {
    "package.json": "{}",
    ".env": variables.map(([name, value]) => `${name}="${value}"\n`).join(""),
    "prisma/schema.prisma": shipped("models.prisma"),
    "public/pushmill-sw.js": shipped("dist/pushmill-sw.js"),
    "public/sw.js": shipped("templates/public/sw.js"),
    "node_modules/ioredis/package.json": ioredis && JSON.stringify({ version: ioredis, main: "index.cjs" }),
    "node_modules/ioredis/redis.json": JSON.stringify(redis),
    "node_modules/bullmq/package.json": bullmq && JSON.stringify({ version: bullmq }),
    ...files,
  };
  for (const [path, text] of Object.entries(all)) {
    if (text === null) continue;
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  if (ioredis) {
    copyFileSync(join(PACKAGE, "test/support/fake-ioredis.cjs"), join(folder, "node_modules/ioredis/index.cjs"));
  }
  return folder;
}

/** What the doctor prints of the folder, and its exit code. */
async function examined(folder, env = {}) {
  const lines = [];
  const code = await doctor([], { folder, env, print: (text) => lines.push(text), ask: null });
  const text = lines.join("\n");
  for (const secret of ["hunter2", "secret-token", KEYS.privateKey]) assert.ok(!text.includes(secret), text);
  return { code, text, faults: lines.filter((line) => line.startsWith("WRONG")) };
}

test("an app in which all fits is told so in short lines", async () => {
  webPy();
  const { code, text, faults } = await examined(app());
  assert.deepEqual([code, faults], [0, []]);
  for (const line of [
    /^ok {5}Node\.js: \d+\.\d+/m,
    /^ok {5}bullmq: 6\.7\.0$/m,
    /^ok {5}Redis: Redis 7\.2\.4 at redis\.example:6379, noeviction$/m,
    /^ok {5}API: web\.py at web\.example is ready and knows the token$/m,
    /^ok {5}Worker: 1 process, serving push, media$/m,
    /^ok {5}Queue push-notifications: served$/m,
    /^ok {5}VAPID keys: the app's key is the worker's$/m,
    /^ok {5}Storage: s3:\/\/bucket\/app\/, as the worker's$/m,
    /^ok {5}Prisma: model PushSubscription has what the worker needs$/m,
    /^ok {5}Service worker: /m,
    /^Nothing is wrong\.$/m,
  ]) {
    assert.match(text, line);
  }
  assert.ok(text.split("\n").every((line) => line.length <= 120));
});

test("the docs show all that it says of an app in which three things are wrong", async () => {
  webPy();
  const redis = redisOf({
    info: INFO.replace("noeviction", "allkeys-lru"),
    workers: [{ ...WORKER, facts: { ...FACTS, vapidPublicKey: OTHER.publicKey } }],
    "bull:push-notification:meta": {},
    "bull:push-notification:wait": ["1", "2"],
  });
  const { text } = await examined(app({ redis, env: { STORAGE_URL: "s3://bucket/app" } }));
  const [, page] = /It may say:\n\n```text\n(.*?)\n```/s.exec(shipped("../../docs/next.js.md"));
  const shown = page
    .replaceAll(/\n +/g, " ") // a long line is broken
    .replace("22.12.0", process.versions.node)
    .replace("BG3OGHrl3YJ5", OTHER.publicKey.slice(0, 12));
  assert.equal(text, shown);
});

const schema = (change) => ({ files: { "prisma/schema.prisma": change(shipped("models.prisma")) } });
const facts = (more) => redisOf({ workers: [{ ...WORKER, facts: { ...FACTS, ...more } }] });
const TOLD = { redis: facts({ notificationTable: "Notification" }) };

for (const [name, given, told, count = 1] of [
  [
    "Redis is away",
    { redis: redisOf({ error: "connect ECONNREFUSED 127.0.0.1:6379" }) },
    /Redis: redis\.example:6379: connect ECONNREFUSED/,
  ],
  [
    "Redis wants another password",
    { redis: redisOf({ error: "WRONGPASS hunter2 is invalid" }) },
    /the password in REDIS_URL is not Redis's/,
  ],
  [
    "Redis has a certificate of its own",
    { redis: redisOf({ error: "self-signed certificate" }) },
    /tls: \{ rejectUnauthorized: false \}/,
  ],
  [
    "Redis drops keys",
    { redis: redisOf({ info: INFO.replace("noeviction", "allkeys-lru") }) },
    /may drop jobs \(maxmemory-policy allkeys-lru\): set it to noeviction/,
  ],
  [
    "Redis is old",
    { redis: redisOf({ info: INFO.replace("7.2.4", "6.0.16") }) },
    /is Redis 6\.0\.16: Pushmill needs 6\.2/,
  ],
  ["Redis is a replica", { redis: redisOf({ info: INFO.replace("master", "slave") }) }, /is a replica/],
  ["REDIS_URL is no URL", { env: { REDIS_URL: "redis.example" } }, /REDIS_URL is not a URL/],
  [
    "there is no address",
    { env: { REDIS_URL: null, PUSHMILL_URL: null } },
    /REDIS_URL is not set: set it to the worker's Redis, or/,
  ],
  ["bullmq is not there", { bullmq: null }, /bullmq not installed: npm install bullmq/],
  ["ioredis is not there", { ioredis: null }, /ioredis not installed: npm install ioredis/, 2],
  ["bullmq is too old", { bullmq: "4.18.3" }, /4\.18\.3: Pushmill works with bullmq 5 and 6/, 2],
  [
    "another major of bullmq is at a queue",
    { bullmq: "5.81.5" },
    /the app has 5, and another one opened .*push-notifications \(bullmq 6\)/,
  ],
  [
    "no worker runs",
    { redis: redisOf({ workers: [] }), web: { workers: [] } },
    /Worker: none has reported within a minute: start one \(make worker APP=\.\.\. or python worker\.py\)/,
  ],
  [
    "the worker has another prefix",
    { redis: redisOf({ prefix: "app" }), web: { workers: [] } },
    /workers use the prefix app, the app bull: set BULLMQ_PREFIX/,
    2,
  ],
  [
    "the worker is of another version",
    { redis: redisOf({ workers: [{ ...WORKER, version: "9.1.0" }] }) },
    /worker 9\.1\.0, package pushmill .*: update the older one/,
  ],
  [
    "web.py looks elsewhere",
    { web: { workers: [{ ...WORKER, name: "w-2" }] } },
    /web\.py sees other workers than the app's Redis has/,
  ],
  [
    "a queue's name is misspelt",
    { redis: redisOf({ "bull:push-notification:meta": {}, "bull:push-notification:wait": ["1", "2"] }) },
    /Queue push-notification: 2 jobs wait and no worker serves it \(workers serve file-processing, push-notifications\)/,
  ],
  [
    "a queue of the app is not served",
    { redis: redisOf({ workers: [{ ...WORKER, queues: ["push-notifications"] }] }) },
    /Queue file-processing: no worker serves it: set STORAGE_URL for the worker/,
  ],
  [
    "jobs of search wait",
    { redis: redisOf({ "bull:search:meta": {}, "bull:search:wait": ["1"] }) },
    /Queue search: 1 job waits, and no worker serves it: set SEARCH_URL and DATABASE_URL for the worker/,
  ],
  [
    "the worker signs with another key",
    { redis: facts({ vapidPublicKey: OTHER.publicKey }) },
    /VAPID keys: a worker signs with another key/,
  ],
  [
    "the keys are of two pairs",
    { env: { VAPID_PRIVATE_KEY: OTHER.privateKey } },
    /VAPID_PRIVATE_KEY is of another pair/,
  ],
  [
    "the contact is at no public host",
    { env: { VAPID_SUBJECT: "mailto:ann@my-laptop.local" } },
    /VAPID_SUBJECT: Apple's push service refuses it/,
  ],
  ["the private key is none", { env: { VAPID_PRIVATE_KEY: "abc" } }, /VAPID_PRIVATE_KEY is no private key/],
  [
    "browsers have another key",
    { env: { NEXT_PUBLIC_VAPID_PUBLIC_KEY: OTHER.publicKey } },
    /NEXT_PUBLIC_VAPID_PUBLIC_KEY and VAPID_PUBLIC_KEY differ/,
    3,
  ],
  [
    "browsers have no key",
    { env: { NEXT_PUBLIC_VAPID_PUBLIC_KEY: null, VAPID_PUBLIC_KEY: null } },
    /NEXT_PUBLIC_VAPID_PUBLIC_KEY is not set/,
  ],
  [
    "the worker reads another bucket",
    { redis: facts({ storage: "s3://other" }) },
    /the app uploads to s3:\/\/bucket\/app\/, and a worker reads s3:\/\/other/,
  ],
  [
    "the app has no bucket",
    { env: { STORAGE_URL: null } },
    /STORAGE_URL is not set: the worker's is s3:\/\/bucket\/app/,
  ],
  [
    "a model is missing",
    schema((text) => text.replace("model File", "model Upload")),
    /no model of prisma\/schema\.prisma has the table File: npx pushmill init adds it/,
  ],
  [
    "a column is missing",
    schema((text) => text.replace(/ {2}p256dh .*\n/, "")),
    /model PushSubscription: it lacks p256dh/,
  ],
  [
    "a column has another name",
    schema((text) => text.replace("  p256dh         String", '$&  @map("p_256")')),
    /model PushSubscription: it lacks p256dh/,
  ],
  [
    "the index is missing",
    schema((text) => text.replace(/ {2}@@index\(\[userId\]\)\n/, "")),
    /model PushSubscription: it needs @@index\(\[userId\]\)/,
  ],
  [
    "the worker has another table",
    { redis: facts({ subscriptionTable: "devices" }) },
    /model PushSubscription has the table PushSubscription, and the worker wants devices: set PUSH_SUBSCRIPTION_TABLE=/,
  ],
  [
    "nobody serves the app's notifications",
    { env: { NOTIFICATION_TABLE: "Notification" } },
    /Queue notifications: no worker serves it: set NOTIFICATION_TABLE for the worker/,
  ],
  [
    "there is no model of notifications",
    { ...TOLD, ...schema((text) => text.replace(/model Notification \{[^}]*\}/, "")) },
    /no model of prisma\/schema\.prisma has the table Notification: npx pushmill init adds it/,
  ],
  [
    "a notification can't be read",
    { ...TOLD, ...schema((text) => text.replace(/ {2}readAt .*\n/, "").replace(/@@index\(\[userId, .*\n/g, "")) },
    /model Notification: it lacks readAt; it needs @@index\(\[userId\]\): without it each job reads all rows/,
  ],
  [
    "users have no address",
    { redis: facts({ notificationUserTable: "File", notificationEmailColumn: "mail" }) },
    /model File: it lacks mail/,
  ],
  [
    "preferences say nothing",
    {
      env: { PREFERENCE_TABLE: "NotificationPreference" },
      ...schema((text) => text.replace(/ {2}(enabled|quietTo) .*\n/g, "")),
    },
    /model NotificationPreference: it lacks enabled, or quietFrom and quietTo/,
  ],
  [
    "there is no model of preferences, and no worker that has found the table",
    { env: { PREFERENCE_TABLE: "Wishes" } },
    /model NotificationPreference has the table NotificationPreference, and the worker wants Wishes: set PREFERENCE_TABLE=/,
  ],
  [
    "the worker writes avatars into a column that is not there",
    { redis: facts({ avatarTable: "File", avatarColumn: "face" }) },
    /model File: it lacks face/,
  ],
  [
    "the service worker's script is old",
    { files: { "public/pushmill-sw.js": "old" } },
    /pushmill-sw\.js is not that of the installed pushmill/,
  ],
  [
    "the service worker's script is not there",
    { files: { "public/pushmill-sw.js": null } },
    /pushmill-sw\.js is not there/,
  ],
  [
    "the service worker does not use it",
    { files: { "public/sw.js": "// nothing" } },
    /public\/sw\.js does not use public\/pushmill-sw\.js: add importScripts/,
  ],
  [
    "the token is unknown",
    { web: { "/queue/workers": () => new Response("", { status: 401 }) } },
    /web\.py at web\.example does not know PUSHMILL_TOKEN/,
  ],
  [
    "web.py is not ready",
    { web: { "/readyz": () => Response.json({ detail: "Redis is full" }, { status: 503 }) } },
    /web\.py at web\.example is not ready: Redis is full/,
  ],
  [
    "another server answers",
    { web: { "/readyz": () => new Response("", { status: 404 }) } },
    /what answers at web\.example \(404\) is not web\.py/,
  ],
  [
    "web.py is away",
    { web: { "/readyz": () => Promise.reject(new TypeError("", { cause: { code: "ENOTFOUND" } })) } },
    /web\.py at web\.example can't be reached \(ENOTFOUND\)/,
  ],
  ["the token is missing", { env: { PUSHMILL_TOKEN: null } }, /PUSHMILL_TOKEN is not set/],
]) {
  test(`it is said if ${name}`, async () => {
    webPy(given.web);
    const { code, text, faults } = await examined(app(given));
    assert.equal(code, 1);
    assert.ok(
      faults.some((line) => told.test(line)),
      text,
    );
    assert.equal(faults.length, count, text);
  });
}

for (const [name, given] of [
  [
    "names of tables and columns that the worker knows",
    {
      redis: facts({ subscriptionTable: "push_subscription", subscriptionColumns: "userId=user_id, keys=keys" }),
      ...schema((text) =>
        text
          .replace(/ {2}p256dh[^\n]*\n {2}auth[^\n]*\n/, "  keys Json\n")
          .replace("userId         String", '$& @map("user_id")')
          .replace("@@index([userId])", '@@index([userId, id])\n  @@map("push_subscription")'),
      ),
    },
  ],
  [
    "a schema of several files",
    {
      files: {
        "prisma/schema.prisma": null,
        "prisma/schema/push.prisma": shipped("models.prisma"),
        "prisma/schema/a.prisma": "",
      },
    },
  ],
  [
    "bullmq 5, which brings its own ioredis",
    {
      bullmq: "5.81.5",
      redis: redisOf({ "bull:push-notifications:meta": { version: "bullmq:5.81.5" }, "bull:file-processing:meta": {} }),
    },
  ],
  ["preferences in a view that a worker has found", { redis: facts({ preferenceTable: "wishes" }) }],
  [
    "preferences and notifications as the models have them",
    { ...TOLD, env: { PREFERENCE_TABLE: "NotificationPreference" } },
  ],
  ["a queue that nobody serves, and that has no jobs", { redis: redisOf({ "bull:other:meta": {} }) }],
  ["dead letters, which no worker runs", { redis: redisOf({ "bull:dead:meta": {}, "bull:dead:wait": ["1"] }) }],
  ["no Prisma", { files: { "prisma/schema.prisma": null } }],
  ["the API alone", { env: { REDIS_URL: null }, bullmq: null, ioredis: null }],
  ["Redis alone", { env: { PUSHMILL_URL: null, PUSHMILL_TOKEN: null } }],
  [
    "a service worker that is built",
    { files: { "public/pushmill-sw.js": null, "public/sw.js": '(()=>{open("pushmill")})()' } },
  ],
]) {
  test(`${name} is no fault`, async () => {
    webPy();
    const { code, text } = await examined(app(given));
    assert.equal(code, 0, text);
  });
}

for (const [value, isAccepted] of [
  ["1", true],
  ["0", false],
  ["false", false],
  ["", false],
]) {
  test(`a certificate that can't be verified is ${isAccepted ? "accepted" : "refused"} with REDIS_TLS_INSECURE=${value}`, async () => {
    webPy();
    const env = { REDIS_URL: "rediss://:hunter2@redis.example:6379", REDIS_TLS_INSECURE: value };
    const { code, text } = await examined(app({ env, redis: redisOf({ error: "self-signed certificate" }) }));
    assert.equal(code, isAccepted ? 0 : 1, text);
    assert.equal(/self-signed certificate: .* set REDIS_TLS_INSECURE=1/.test(text), !isAccepted, text);
  });
}

test("Redis may be named by its host", async () => {
  webPy();
  const env = { REDIS_URL: null, REDIS_HOST: "redis.example", REDIS_PORT: "6380", REDIS_PASSWORD: "hunter2" };
  const { code, text } = await examined(app({ env }));
  assert.equal(code, 0, text);
  assert.match(text, /^ok {5}Redis: Redis 7\.2\.4 at redis\.example:6380, noeviction$/m);
});

test("a certificate that is not there is named", async () => {
  webPy();
  const env = { REDIS_URL: "rediss://redis.example:6379", REDIS_TLS_CA: "nowhere.pem" };
  const { code, text } = await examined(app({ env }));
  assert.equal(code, 1, text);
  assert.match(text, /Redis: redis\.example:6379: REDIS_TLS_CA: the file can't be read \(ENOENT\)/);
});

test("an app may have a SEARCH_URL of its own", async () => {
  webPy();
  const { text } = await examined(app({ env: { SEARCH_URL: "http://search.test" } }));
  assert.doesNotMatch(text, /Queue search/);
});

test("an app without uploads and push is asked for neither", async () => {
  webPy({ workers: [{ ...WORKER, facts: {}, queues: ["mails"] }] });
  const env = Object.fromEntries(
    Object.keys(ENV)
      .filter((name) => !/REDIS|PUSHMILL/.test(name))
      .map((name) => [name, null]),
  );
  const redis = redisOf({ workers: [{ ...WORKER, facts: {}, queues: ["mails"] }] });
  const { code, text } = await examined(
    app({ env, redis, files: { "public/sw.js": null, "public/pushmill-sw.js": null } }),
  );
  assert.equal(code, 0, text);
  assert.doesNotMatch(text, /Storage|Service worker|Prisma: model/);
});

test("what servers say stays in its line", async () => {
  webPy({ "/readyz": () => Response.json({ detail: "a\nok    all is well\u001b[2J" }, { status: 503 }) });
  const { text } = await examined(app());
  assert.match(text, /not ready: a ok {4}all is well \[2J$/m);
});

test("the files are read as Next.js reads them", () => {
  const files = {
    ".env": [
      "A=1",
      'B="two words" # why',
      "export C='a#b'",
      "D=`x`",
      `E=\${A}0`,
      "F=\\$A",
      'G="a\\nb"',
      "H=",
      'PEM="-----BEGIN\nabc\n-----"\r',
      "#I=1",
      "J=$J",
    ].join("\n"),
    ".env.local": "A=2",
    ".env.production": "A=3\nK=prod",
  };
  const read = (path) => files[path] ?? null;
  const { get, fileOf } = environmentOf(read, { L: "process", B: undefined });
  const names = ["A", "B", "C", "D", "E", "F", "G", "H", "PEM", "I", "K", "L"];
  assert.deepEqual(names.map(get), [
    ...[
      "2",
      "two words",
      "a#b",
      "x",
      "20",
      "$A",
      "a\nb",
      undefined,
      "-----BEGIN\nabc\n-----",
      undefined,
      undefined,
      "process",
    ],
  ]);
  assert.equal(get("J"), "$J");
  assert.deepEqual(["A", "B", "L"].map(fileOf), [".env.local", ".env", undefined]);
  assert.equal(environmentOf(read, { NODE_ENV: "production", A: "4" }).get("K"), "prod");
  assert.equal(environmentOf(read, { NODE_ENV: "production", A: "4" }).get("A"), "4");
});

test("it is started by name, in an app's folder, without options", async () => {
  const lines = [];
  const shell = { folder: tmpdir(), env: {}, print: (text) => lines.push(text), ask: null };
  assert.equal(await run(["doctor", "--help"], shell), 0);
  assert.equal(await run(["doctor", "--fix"], shell), 2);
  assert.equal(await run(["doctor"], shell), 1);
  assert.match(lines.join("\n"), /Usage: npx pushmill doctor[\s\S]*takes no "--fix"[\s\S]*there is no package\.json/);
});
