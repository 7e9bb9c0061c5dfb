import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../dist/esm/cli/main.js", import.meta.url));
const pushmill = (...args) =>
  spawnSync(process.execPath, [MAIN, ...args], { encoding: "utf8", cwd: tmpdir(), env: { PATH: process.env.PATH } });

test("without a command the help is printed", () => {
  const { status, stdout } = pushmill();
  assert.equal(status, 0);
  assert.match(stdout, /init[\s\S]*doctor/);
});

test("an unknown command is a usage error in one line", () => {
  for (const name of ["nope", "constructor", "--nope"]) {
    const { status, stdout, stderr } = pushmill(name);
    assert.equal(status, 2);
    assert.equal(stderr, "");
    assert.equal(stdout, `pushmill: there is no command "${name}": see npx pushmill --help\n`);
  }
});

test("the version is the package's", () => assert.match(pushmill("--version").stdout, /^\d+\.\d+\.\d+\n$/));

test("push wants a user and one text", () => {
  for (const args of [[], ["user-1"], ["user-1", "a", "b"]]) {
    const { status, stdout } = pushmill("push", ...args);
    assert.equal(status, 2);
    assert.match(stdout, /^pushmill: write npx pushmill push <userId> "text": see npx pushmill push --help\n$/);
  }
});

test("push says that it knows no Redis", () => {
  const { status, stdout } = pushmill("push", "user-1", "Hello");
  assert.equal(status, 1);
  assert.equal(stdout, "pushmill: REDIS_URL is not set, neither in the environment nor in .env of this folder\n");
});
