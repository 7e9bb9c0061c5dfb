// Builds dist/: ES modules of all entries, CommonJS of `pushmill` and `pushmill/bullmq`, and a classic script of
// `pushmill/sw` for service workers without a bundler.
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

process.chdir(fileURLToPath(new URL(".", import.meta.url)));

const tsc = (project) =>
  execFileSync("node", ["node_modules/typescript-newest/bin/tsc", "-p", project], { stdio: "inherit" });

rmSync("dist", { recursive: true, force: true });
tsc("tsconfig.json");
tsc("tsconfig.cjs.json");
writeFileSync("dist/cjs/package.json", '{ "type": "commonjs" }\n');

// Imports are dropped: what they name is in the files before.
const classic = ["push/sent.js", "sw/index.js"]
  .map((file) => readFileSync(`dist/esm/${file}`, "utf8"))
  .join("")
  .replace(/^import .*\n/gm, "")
  .replace(/^export /gm, "");
writeFileSync(
  "dist/pushmill-sw.js",
  `/* eslint-disable */\nvar pushmill = (() => {\n"use strict";\n${classic}return { handlePush };\n})();\n`,
);
