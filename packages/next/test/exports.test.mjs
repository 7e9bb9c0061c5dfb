import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";

const { exports } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url)));
const entries = Object.keys(exports).filter((entry) => entry !== "./package.json");
const require = createRequire(import.meta.url);

for (const entry of entries) {
  const name = entry.replace(".", "pushmill");
  test(`${name} can be imported`, async () => assert.ok(await import(name)));
  if (exports[entry].require) test(`${name} can be required`, () => assert.ok(require(name)));
}
