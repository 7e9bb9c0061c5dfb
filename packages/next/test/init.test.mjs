import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { git, init, makeApp, packageJson, put, TEMPLATE_CONFIG, text, tree } from "./support/app.mjs";

const PRISMA_7 = { next: "16.0.0", prisma: "7.1.0", "@prisma/client": "7.1.0" };
const HEAD =
  'generator client {\n  provider = "prisma-client-js"\n}\n\ndatasource db {\n  provider = "postgresql"\n}\n';

test("a fresh app gets everything, and a second run changes nothing", async (t) => {
  const folder = makeApp(t);
  const first = await init(folder);
  assert.equal(first.code, 0, first.said);
  const made = tree(folder);
  for (const path of [
    ".env",
    "app/api/push/subscriptions/route.ts",
    "components/notify-me.tsx",
    "lib/prisma.ts",
    "lib/pushmill.ts",
    "lib/user-id.ts",
    "prisma.config.ts",
    "prisma/schema.prisma",
    "public/pushmill-sw.js",
    "public/sw.js",
  ]) {
    assert.ok(made[path] !== undefined, path);
    assert.ok(first.said.includes(`new: ${path}`), path);
  }
  assert.match(made["package.json"], /"postinstall": "prisma generate"/);
  assert.match(made["lib/prisma.ts"], /new PrismaLibSql\(\{ url, timeout: 5000 \}\)/); // else no write waits for a worker's
  assert.match(first.said, /1\. npm install .*bullmq ioredis/);

  const second = await init(folder);
  assert.match(second.said, /^Nothing to do: all files are there\.$/m);
  assert.deepEqual(tree(folder), made);
});

test("app code below src stays below src, with the alias of tsconfig.json", async (t) => {
  const folder = makeApp(t, {
    "app/page.tsx": null,
    "src/app/page.tsx": "",
    "tsconfig.json": '{\n  // comment, "and a quote\n  "compilerOptions": { "paths": { "~/*": ["./src/*"], }, },\n}',
  });
  await init(folder);
  assert.match(text(folder, "src/app/api/push/subscriptions/route.ts"), /from "~\/lib\/prisma"/);
  assert.match(text(folder, "src/lib/prisma.ts"), /from "~\/generated\/prisma\/client"/);
  assert.match(text(folder, "prisma/schema.prisma"), /output {3}= "\.\.\/src\/generated\/prisma"/);
  assert.ok(!Object.keys(tree(folder)).some((path) => /^(app|lib|components)\//.test(path)));
});

test("src/app beside app is ignored, as Next.js does", async (t) => {
  const folder = makeApp(t, { "src/app/page.tsx": "" });
  await init(folder);
  assert.ok(text(folder, "app/api/push/subscriptions/route.ts"));
});

test("without an alias imports are relative", async (t) => {
  const folder = makeApp(t, { "tsconfig.json": "" });
  await init(folder);
  assert.match(text(folder, "app/api/push/subscriptions/route.ts"), /from "\.\.\/\.\.\/\.\.\/\.\.\/lib\/prisma"/);
  assert.match(text(folder, "lib/prisma.ts"), /from "\.\.\/generated\/prisma\/client"/);
});

for (const [what, files, message] of [
  [
    "no package.json",
    { "package.json": null },
    /there is no package\.json in .*: run this in the folder of a Next\.js app/,
  ],
  ["a broken package.json", { "package.json": "{" }, /can't read package\.json/],
  ["no next", { "package.json": packageJson({}) }, /has no next/],
  ["an old next", { "package.json": packageJson({ next: "^14.2.0" }) }, /next \^14\.2\.0: Pushmill needs 15 or newer/],
  ["JavaScript", { "tsconfig.json": null }, /this app is JavaScript.*make an empty tsconfig\.json/],
  ["pages only", { "app/page.tsx": null, "pages/index.tsx": "" }, /has only pages.*make the folder app and/],
  ["pages below src", { "app/page.tsx": null, "src/pages/index.tsx": "" }, /make the folder src\/app and/],
  ["no app", { "app/page.tsx": null }, /there is no folder app or src\/app/],
  [
    "MySQL",
    { "prisma/schema.prisma": HEAD.replace("postgresql", "mysql") },
    /provider of prisma\/schema\.prisma is mysql/,
  ],
  [
    "a schema that is not there",
    { "prisma.config.ts": 'schema: "db/s.prisma"' },
    /name the schema db\/s\.prisma, which is not/,
  ],
  ["a folder that is a file", { components: "" }, /can't write components\/notify-me\.tsx: /],
]) {
  test(`${what}: one line says why, and nothing is written`, async (t) => {
    const folder = makeApp(t, files);
    const before = tree(folder);
    const { code, said } = await init(folder);
    assert.equal(code, 1);
    assert.match(said.split("\n").at(-1), /^pushmill: /);
    assert.match(said, message);
    assert.deepEqual(tree(folder), before);
  });
}

test("without a terminal it wants --yes", async (t) => {
  const folder = makeApp(t);
  const { code, said } = await init(folder, []);
  assert.equal(code, 2);
  assert.match(said, /^pushmill: there is no terminal to ask on: npx pushmill init --yes/);
  assert.equal((await init(folder, ["--nope"])).code, 2);
});

test("the answers choose, and a no writes nothing", async (t) => {
  const folder = makeApp(t);
  const before = tree(folder);
  const { code, said, asked } = await init(
    folder,
    [],
    ["rockets", "push", "ops@my-laptop.local", "ops@your-domain.com", "n"],
  );
  assert.equal(code, 1);
  assert.equal(asked.length, 5);
  assert.match(said, /VAPID_SUBJECT="mailto:ops@your-domain\.com"/);
  assert.match(said, /^Apple's push service refuses this: it is no address at a public host\.$/m);
  assert.match(said, /Nothing was changed\.$/);
  assert.deepEqual(tree(folder), before);
});

for (const [known, subject, byHand] of [
  ["ann@your-domain.com", "ann@your-domain.com", false],
  ["ann@my-laptop.local", "you@example.com", true],
]) {
  test(`git's address ${known} is the contact only if a worker starts with it`, async (t) => {
    const folder = makeApp(t);
    git(folder, "init", "--quiet");
    git(folder, "config", "user.email", known);
    const { said } = await init(folder);
    assert.ok(text(folder, ".env").includes(`VAPID_SUBJECT="mailto:${subject}"\n`));
    assert.equal(/in VAPID_SUBJECT write your address in place of/.test(said), byHand);
  });
}

test("the private key is written and not shown", async (t) => {
  const folder = makeApp(t);
  const { said } = await init(folder);
  const env = text(folder, ".env");
  const key = /^VAPID_PRIVATE_KEY="([\w-]{43})"$/m.exec(env)[1];
  assert.match(env, /^VAPID_PUBLIC_KEY="(B[\w-]{86})"\nNEXT_PUBLIC_VAPID_PUBLIC_KEY="\1"$/m);
  assert.ok(!said.includes(key));
  assert.equal(statSync(join(folder, ".env")).mode & 0o077, 0);
});

test("variables that are there keep their values", async (t) => {
  const env =
    "# VAPID_SUBJECT=no\r\nREDIS_URL='redis://prod'\r\nVAPID_PUBLIC_KEY=pub\r\nVAPID_PRIVATE_KEY=priv\r\nSECRET=hush";
  const folder = makeApp(t, { ".env": env });
  chmodSync(join(folder, ".env"), 0o640);
  const { said } = await init(folder);
  const after = text(folder, ".env");
  assert.ok(after.startsWith(`${env}\r\n`));
  assert.match(after, /^NEXT_PUBLIC_VAPID_PUBLIC_KEY="pub"\r$/m);
  assert.match(after, /^VAPID_SUBJECT="mailto:.*"\r$/m);
  assert.equal(after.match(/^(REDIS_URL|VAPID_PUBLIC_KEY|VAPID_PRIVATE_KEY)=/gm).length, 3);
  assert.ok(!/[^\r]\n/.test(after));
  assert.equal(statSync(join(folder, ".env")).mode & 0o777, 0o640);
  assert.match(said, /changed: \.env/);
  assert.doesNotMatch(said, /hush|priv"/);
});

for (const [env, url, shown] of [
  ["REDIS_HOST=redis.example\n", "redis://redis.example:6379/0"],
  [
    "REDIS_HOST=::1\nREDIS_PORT=6380\nREDIS_DB=2\nREDIS_PASSWORD='a@ü/hush'\n",
    "redis://:a%40%C3%BC%2Fhush@[::1]:6380/2",
    "redis://:(secret)@[::1]:6380/2",
  ],
  ["REDIS_HOST=r\nREDIS_PASSWORD=null\n", "redis://r:6379/0"],
  ["REDIS_TLS_URL=rediss://:hush@r:6380\n", "rediss://:hush@r:6380", "rediss://:(secret)@r:6380"],
]) {
  test(`the app gets the worker's Redis: ${url}`, async (t) => {
    const folder = makeApp(t, { ".env": env });
    const { said } = await init(folder);
    assert.ok(text(folder, ".env").includes(`REDIS_URL="${url}"\n`));
    assert.ok(said.includes(`REDIS_URL="${shown ?? url}"`), said);
    assert.doesNotMatch(said, /hush/);
  });
}

for (const [what, env, message] of [
  ["half a pair", "VAPID_PUBLIC_KEY=a\n", /half a VAPID key pair/],
  ["the browser's key alone", "NEXT_PUBLIC_VAPID_PUBLIC_KEY=a\n", /half a VAPID key pair/],
  [
    "two keys",
    "VAPID_PRIVATE_KEY=p\nVAPID_PUBLIC_KEY=a\nNEXT_PUBLIC_VAPID_PUBLIC_KEY=b\n",
    /is another key than VAPID_PUBLIC_KEY/,
  ],
]) {
  test(`${what} in .env: it says so, and makes no key`, async (t) => {
    const folder = makeApp(t, { ".env": env });
    const { said } = await init(folder);
    assert.match(said, message);
    assert.equal(text(folder, ".env").match(/VAPID\w*KEY=/g).length, env.match(/VAPID\w*KEY=/g).length);
  });
}

test("keys in .env.local are not the worker's", async (t) => {
  const folder = makeApp(t, { ".env.local": "REDIS_URL=redis://x\nVAPID_PRIVATE_KEY=p\n" });
  const { said } = await init(folder);
  assert.match(said, /REDIS_URL is in \.env\.local, which the worker does not read/);
  assert.match(said, /VAPID_PRIVATE_KEY is in \.env\.local/);
  assert.doesNotMatch(text(folder, ".env"), /VAPID/);
});

test("a .env in git gets no key, and a repository that does not ignore it learns to", async (t) => {
  const folder = makeApp(t, { ".env": "A=1\n", ".gitignore": "/node_modules\r\n" });
  git(folder, "init", "-q");
  git(folder, "add", ".env");
  git(folder, "commit", "-qm", "env");
  const { said } = await init(folder);
  assert.match(said, /\.env is in git, so nothing was written into it/);
  assert.equal(text(folder, ".env"), "A=1\n");

  const other = makeApp(t, { ".gitignore": "/node_modules\r\n" });
  git(other, "init", "-q");
  await init(other);
  assert.equal(text(other, ".gitignore"), "/node_modules\r\n\r\n/.env\r\n/generated\r\n/dev.db\r\n");
});

test("an existing schema keeps every byte and gets the model at its end", async (t) => {
  const own = "// model PushSubscription {\n/*\nmodel PushSubscription {\n}\n*/\nmodel User {\n  id Int @id // {\n}";
  const schema = `${HEAD}\n${own}`.replaceAll("\n", "\r\n");
  const folder = makeApp(t, { "package.json": packageJson(PRISMA_7), "prisma/schema.prisma": schema });
  const { said } = await init(folder);
  const after = text(folder, "prisma/schema.prisma");
  assert.ok(after.startsWith(`${schema}\r\n\r\n/// `));
  assert.match(after, /^model PushSubscription \{\r\n[\s\S]*^ {2}userId {9}Int {3}/m);
  assert.ok(!/[^\r]\n/.test(after));
  assert.match(said, /User\.id is Int: let userId/);
  assert.match(said, /npx prisma migrate dev --name pushmill && npx prisma generate/);
  assert.equal((await init(folder)).said.includes("new:"), false);
});

test("a schema in a folder gets a file of its own", async (t) => {
  const folder = makeApp(t, {
    "package.json": packageJson(PRISMA_7, { prisma: { schema: "./prisma/schema" } }),
    "prisma/schema/base.prisma": HEAD,
    "prisma/schema/user.prisma": "model User {\n  id String @id\n}\n",
  });
  await init(folder);
  assert.match(text(folder, "prisma/schema/pushmill.prisma"), /^\/\/\/ .*\nmodel PushSubscription \{/);
  assert.equal(text(folder, "prisma/schema/base.prisma"), HEAD);
  assert.match((await init(folder)).said, /Nothing to do/);
});

test("a model of the same name is kept, and what it lacks is said", async (t) => {
  const schema = `${HEAD}model PushSubscription {\n  id String @id\n  userId String\n  endpoint String\n  keys Json\n}\n`;
  const folder = makeApp(t, { "package.json": packageJson(PRISMA_7), "prisma/schema.prisma": schema });
  const { said } = await init(folder);
  assert.match(said, /model PushSubscription \(prisma\/schema\.prisma\) is kept; it needs p256dh, auth$/m);
  assert.match(said, /expirationTime, createdAt, updatedAt would be used/);
  assert.match(said, /its endpoint needs @unique/);
  assert.match(said, /it needs @@index\(\[userId\]\)/);
  assert.ok(text(folder, "prisma/schema.prisma").startsWith(`${schema}\n/// An upload`));
});

test("notifications and preferences are added where they are asked for, and once", async (t) => {
  const folder = makeApp(t);
  await init(folder);
  assert.doesNotMatch(text(folder, "prisma/schema.prisma"), /model Notification/);
  const { code, said, asked } = await init(folder, [], ["notifications preferences", ""]);
  assert.equal(code, 0, said);
  assert.match(asked[0], /^ {2}push {11}web push[^\n]*\n[\s\S]*^ {2}notifications {2}what users are told/m);
  assert.match(text(folder, "prisma/schema.prisma"), /model Notification \{[\s\S]*model NotificationPreference \{/);
  assert.match(text(folder, ".env"), /^NOTIFICATION_TABLE="Notification"\nPREFERENCE_TABLE="NotificationPreference"$/m);
  assert.match(
    text(folder, "app/api/notifications/route.ts"),
    /notificationRoutes\(\{ prisma, userId, source: queues \}\)/,
  );
  assert.match(text(folder, "app/api/preferences/route.ts"), /preferenceRoutes\(\{ prisma, userId \}\)/);
  assert.match(said, /import \{ Bell \} from "@\/components\/bell"; and put <Bell \/> where the bell shall be$/m);
  const made = tree(folder);
  assert.match((await init(folder, [], ["all"])).said, /new: app\/admin/);
  assert.match((await init(folder, ["--yes", "--all"])).said, /^Nothing to do: all files are there\.$/m);
  for (const [path, before] of Object.entries(made))
    if (path !== ".env") assert.equal(text(folder, path), before, path);
});

test("the app's own notifications are kept, and what they lack is said", async (t) => {
  const schema = `${HEAD}model Notification {\n  id Int @id\n  userId String\n  title String\n  message String\n}\n`;
  const files = {
    "package.json": packageJson(PRISMA_7),
    "prisma/schema.prisma": schema,
    "components/bell.tsx": "mine",
  };
  const folder = makeApp(t, { ...files, ".env": "NOTIFICATION_TABLE=notes\n" });
  const { said } = await init(folder, [], ["notifications", ""]);
  assert.match(said, /model Notification \(prisma\/schema\.prisma\) is kept; it needs body, readAt, createdAt$/m);
  assert.match(said, /type, url, metadata, dedupeKey would be used/);
  assert.match(said, /it needs @@index\(\[userId\]\)/);
  assert.equal(text(folder, "prisma/schema.prisma"), schema);
  assert.equal(text(folder, "components/bell.tsx"), "mine");
  assert.match(text(folder, ".env"), /^NOTIFICATION_TABLE=notes\n/);
  assert.doesNotMatch(text(folder, ".env"), /NOTIFICATION_TABLE="/);
});

test("the worker is told the table of the app's own model", async (t) => {
  const schema = `${HEAD}model Notification {\n  id Int @id\n  userId String\n  @@map("notifications")\n}\n`;
  const folder = makeApp(t, { "package.json": packageJson(PRISMA_7), "prisma/schema.prisma": schema });
  await init(folder, [], ["notifications preferences", ""]);
  assert.match(
    text(folder, ".env"),
    /^NOTIFICATION_TABLE="notifications"\nPREFERENCE_TABLE="NotificationPreference"$/m,
  );
});

for (const [path, code, words] of [
  ["lib/prisma.ts", "new PrismaClient(); export const prisma = 1", null],
  ["lib/prisma.ts", "new PrismaClient();\nexport const prisma = 1", '{ prisma } from "@/lib/prisma"'],
  ["server/db.ts", "new PrismaClient();\nexport const db = 1", '{ db as prisma } from "@/server/db"'],
  ["lib/db.ts", "new PrismaClient();\nexport default prisma;", 'prisma from "@/lib/db"'],
  ["lib/db/index.ts", "new PrismaClient();\nexport { db };", '{ db as prisma } from "@/lib/db/index"'],
]) {
  test(`the app's own client is used: ${path} ${words}`, async (t) => {
    const folder = makeApp(t, {
      "package.json": packageJson(PRISMA_7),
      "prisma/schema.prisma": HEAD,
      [path]: code,
    });
    await init(folder);
    const route = text(folder, "app/api/push/subscriptions/route.ts");
    assert.ok(route.includes(`import ${words ?? '{ prisma } from "@/lib/prisma"'};`), route);
    assert.equal(text(folder, path), code);
  });
}

test("a schema without a client gets the one of its version and its database", async (t) => {
  const client = async (packages, schema) => {
    const folder = makeApp(t, { "package.json": packageJson(packages), "prisma/schema.prisma": schema });
    const { said } = await init(folder);
    return [text(folder, "lib/prisma.ts"), said];
  };
  const [six] = await client({ next: "15.1.0", prisma: "^6.2.0" }, HEAD);
  assert.match(six, /from "@prisma\/client";[\s\S]*new PrismaClient\(\)/);
  const generated = HEAD.replace("prisma-client-js", 'prisma-client"\n  output = "../src/db');
  const [seven, said] = await client(PRISMA_7, generated);
  assert.match(seven, /new PrismaPg\(/);
  assert.match(seven, /from "@\/src\/db\/client"/);
  assert.match(said, /npm install .*@prisma\/adapter-pg/);
});

for (const [name, packages, files, line] of [
  ["Clerk", { "@clerk/nextjs": "7.0.0" }, {}, /from "@clerk\/nextjs\/server"/],
  [
    "Better Auth",
    { "better-auth": "1.4.0" },
    { "lib/auth.ts": "export const auth = betterAuth({})" },
    /from "@\/lib\/auth"/,
  ],
  [
    "Auth.js",
    { "next-auth": "5.0.0-beta.30" },
    { "auth.ts": "export const { handlers, auth } = NextAuth({})" },
    /import \{ auth \} from "@\/auth";[\s\S]*await auth\(\)/,
  ],
  [
    "NextAuth 4",
    { "next-auth": "^4.24.0" },
    {
      "app/api/auth/[...nextauth]/route.ts": "export const authOptions = {}",
      "lib/auth.ts": "export const auth = NextAuth({})",
    },
    /import \{ authOptions \} from "@\/app\/api\/auth\/\[\.\.\.nextauth\]\/route";/,
  ],
  [
    "iron-session",
    { "iron-session": "8.0.4" },
    { "lib/session.ts": "export const options = { cookieName: 'a' }" },
    /import \{ options as sessionOptions \} from "@\/lib\/session";/,
  ],
]) {
  test(`${name} says who is signed in`, async (t) => {
    const folder = makeApp(t, { "package.json": packageJson({ next: "16.0.0", ...packages }), ...files });
    const { said } = await init(folder);
    assert.match(text(folder, "lib/user-id.ts"), line);
    assert.doesNotMatch(said, /let userId return the id/);
  });
}

test("a package for sign-in that is not set up as known: nobody is signed in, in production", async (t) => {
  const folder = makeApp(t, { "package.json": packageJson({ next: "16.0.0", "better-auth": "1.4.0" }) });
  const { said } = await init(folder);
  assert.match(said, /lib\/user-id\.ts: better-auth is installed, but its set-up was not found/);
  assert.match(text(folder, "lib/user-id.ts"), /=== "development" \? "user-1" : null/);
});

test("an existing sw.js is kept, and its two lines are shown until they are in it", async (t) => {
  const folder = makeApp(t, { "public/sw.js": "self.skipWaiting();\n" });
  const { said } = await init(folder);
  assert.match(
    said,
    /public\/sw\.js is kept; add to it:\n {4}importScripts\("\/pushmill-sw\.js"\);\n {4}pushmill\.handlePush\(self\);/,
  );
  assert.equal(text(folder, "public/sw.js"), "self.skipWaiting();\n");
  put(folder, "public/sw.js", 'importScripts("/pushmill-sw.js");\npushmill.handlePush(self);\n');
  assert.doesNotMatch((await init(folder)).said, /sw\.js/);
});

test("Serwist builds the service worker: its source is named, and no file is written", async (t) => {
  const folder = makeApp(t, {
    "package.json": packageJson({ next: "16.0.0", "@serwist/next": "9.5.0" }),
    "app/sw.ts": "serwist.addEventListeners();",
  });
  const { said } = await init(folder);
  assert.match(said, /@serwist\/next builds the service worker; add to app\/sw\.ts:/);
  assert.ok(!Object.keys(tree(folder)).some((path) => path.startsWith("public/")));
});

test("an old copy of the package's script is renewed", async (t) => {
  const folder = makeApp(t);
  await init(folder);
  put(folder, "public/pushmill-sw.js", "old");
  const { said } = await init(folder);
  assert.match(said, /changed: public\/pushmill-sw\.js/);
  const shipped = readFileSync(new URL("../dist/pushmill-sw.js", import.meta.url), "utf8");
  assert.equal(text(folder, "public/pushmill-sw.js"), shipped);
});

for (const [what, config, after] of [
  [
    "as create-next-app leaves it",
    TEMPLATE_CONFIG,
    /NextConfig = \{\n {2}serverExternalPackages: \["bullmq"\],\n {2}\/\*/,
  ],
  ["with CRLF", TEMPLATE_CONFIG.replaceAll("\n", "\r\n"), /= \{\r\n {2}serverExternalPackages: \["bullmq"\],\r\n/],
  ["with other such packages", 'const nextConfig = {\n  serverExternalPackages: ["sharp"],\n};\n', null],
  ["wrapped", "export default withX({});\n", null],
]) {
  test(`next.config.ts ${what}`, async (t) => {
    const folder = makeApp(t, { "next.config.ts": config });
    const { said } = await init(folder);
    if (after) assert.match(text(folder, "next.config.ts"), after);
    else assert.equal(text(folder, "next.config.ts"), config);
    assert.equal(/next\.config\.ts: add serverExternalPackages: \["bullmq"\],/.test(said), after === null);
  });
}

test("next.config.ts that has the line is left alone", async (t) => {
  const config = 'export default { serverExternalPackages: ["sharp", "bullmq"] };\n';
  const { said } = await init(makeApp(t, { "next.config.ts": config }));
  assert.doesNotMatch(said, /next\.config/);
});

for (const [what, link] of [
  ["a folder", "lib"],
  ["a file", ".env"],
  ["a folder far down", "app/api"],
]) {
  test(`${what} that is a link out of the app: refused before anything is written`, async (t) => {
    const [folder, outside] = [makeApp(t), makeApp(t)];
    put(outside, "there/.env", "A=1\n");
    rmSync(join(folder, link), { recursive: true, force: true });
    symlinkSync(join(outside, link === ".env" ? "there/.env" : "there"), join(folder, link));
    const [before, theirs] = [tree(folder), tree(outside)];
    const { code, said } = await init(folder);
    assert.equal(code, 1);
    assert.match(said, /pushmill: \S+ is behind a symbolic link that leads out of this folder/);
    assert.deepEqual([tree(folder), tree(outside)], [before, theirs]);
  });
}

test("a link inside the app is followed", async (t) => {
  const folder = makeApp(t);
  mkdirSync(join(folder, "modules"));
  symlinkSync("modules", join(folder, "lib"));
  assert.equal((await init(folder)).code, 0);
  assert.ok(text(folder, "modules/pushmill.ts"));
});

test("an error between two files names the file; the next run writes the rest", async (t) => {
  const folder = makeApp(t);
  const spoil = (line) => line === "wrote public/sw.js" && put(folder, "components", "");
  const { code, said } = await init(folder, ["--yes"], null, spoil);
  assert.equal(code, 1);
  assert.match(said, /\npushmill: can't write components\/notify-me\.tsx: /);
  const half = tree(folder);
  assert.ok(!Object.keys(half).some((path) => path.includes("pushmill-") && !path.endsWith("-sw.js")));
  rmSync(join(folder, "components"));
  assert.equal((await init(folder)).code, 0);
  const { components, ...kept } = half;
  for (const [path, before] of Object.entries(kept)) {
    if (!["next.config.ts", ".gitignore"].includes(path)) assert.equal(text(folder, path), before);
  }
  assert.match((await init(folder)).said, /Nothing to do/);
});

test("a file that changes while init asks is not overwritten", async (t) => {
  const folder = makeApp(t);
  const spoil = (line) => line === "wrote public/sw.js" && put(folder, "next.config.ts", "mine");
  const { code, said } = await init(folder, ["--yes"], null, spoil);
  assert.equal(code, 1);
  assert.match(said, /pushmill: next\.config\.ts has changed meanwhile: start again$/);
  assert.equal(text(folder, "next.config.ts"), "mine");
});

for (const [lock, command] of [
  ["pnpm-lock.yaml", "pnpm add"],
  ["yarn.lock", "yarn add"],
  ["bun.lock", "bun add"],
]) {
  test(`${lock}: ${command}`, async (t) => {
    const { said } = await init(makeApp(t, { [lock]: "" }));
    assert.match(said, new RegExp(`1\\. ${command} `));
  });
}
