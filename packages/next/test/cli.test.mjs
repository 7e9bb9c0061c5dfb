import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../dist/esm/cli/main.js", import.meta.url));
const pushmill = (...args) => spawnSync(process.execPath, [MAIN, ...args], { encoding: "utf8" });

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
