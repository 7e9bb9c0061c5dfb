// Runs modules of an app in one process: node --import tsx host.mjs
// A JSON line with the path of a module comes on stdin, and one goes to stdout for it: {result, printed} or {error}.
// `result` is the module's default export, and `printed` are its lines on the console.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { format } from "node:util";

let printed = [];
for (const method of ["log", "error"]) console[method] = (...values) => void printed.push(format(...values));

async function run(path) {
  const module = await import(pathToFileURL(path).href);
  return { result: (await module.default) ?? null, printed };
}

for await (const line of createInterface({ input: process.stdin })) {
  printed = [];
  const answer = await run(JSON.parse(line)).catch((error) => ({ error: String(error?.message ?? error) }));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit();
