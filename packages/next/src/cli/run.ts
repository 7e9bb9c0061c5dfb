import { readFileSync } from "node:fs";
import { CliError, type Command, type Shell, UsageError } from "./command.js";

const HELP = `Usage: npx pushmill <command>

  init     adds the models, routes, service worker and settings to the Next.js app in this folder
  push     sends a push to a user, to see that all parts work
  doctor   checks whether the app and the worker fit together

npx pushmill <command> --help says what a command does and which options it has.`;

// Each is loaded when it is asked for: `init` needs nothing of what `doctor` imports.
const COMMANDS: Record<string, () => Promise<Command>> = {
  init: async () => (await import("./init.js")).init,
  push: async () => (await import("./push.js")).push,
  doctor: async () => (await import("./doctor.js")).doctor,
};

/** Runs the command that `args` names and resolves to the exit code: 2 if there is no such command. */
export async function run(args: string[], shell: Shell): Promise<number> {
  try {
    return await dispatch(args, shell);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    shell.print(`pushmill: ${error.message}`);
    return error instanceof UsageError ? 2 : 1;
  }
}

async function dispatch([name, ...args]: string[], shell: Shell): Promise<number> {
  if (name === undefined || name === "--help" || name === "-h") shell.print(HELP);
  else if (name === "--version" || name === "-v") shell.print(version());
  else return (await command(name))(args, shell);
  return 0;
}

function command(name: string): Promise<Command> {
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!load) throw new UsageError(`there is no command ${JSON.stringify(name)}: see npx pushmill --help`);
  return load();
}

/** The version of this package. */
export function version(): string {
  const text = readFileSync(new URL("../../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
