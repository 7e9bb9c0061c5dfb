#!/usr/bin/env node
import { createInterface } from "node:readline/promises";
import { CliError } from "./command.js";
import { run } from "./run.js";

/** Asks one question on the terminal. Throws CliError upon ctrl-C and ctrl-D. */
async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const ended = new Promise<never>((_, reject) => terminal.once("close", () => reject(new CliError("no answer"))));
  try {
    return await Promise.race([terminal.question(question), ended]);
  } finally {
    terminal.close();
  }
}

process.exitCode = await run(process.argv.slice(2), {
  folder: process.cwd(),
  env: process.env,
  print: (text) => process.stdout.write(`${text}\n`),
  ask: process.stdin.isTTY && process.stdout.isTTY ? ask : null,
});
