import { parseArgs } from "node:util";
import { CliError, type Command, type Shell, UsageError } from "./command.js";
import { isContact } from "./contact.js";
import { type App, readApp } from "./init/app.js";
import { type Change, checkInside, shown, write } from "./init/changes.js";
import { PLACEHOLDER } from "./init/environment.js";
import { mailAddress } from "./init/git.js";
import { PARTS, type PartName, plan } from "./init/plan.js";
import { nextSteps } from "./init/steps.js";

const HELP = `Usage: npx pushmill init [--yes] [--all]

Adds the app's half of Pushmill to the Next.js app in this folder: the Prisma models, the routes, the
service worker, and settings with fresh VAPID keys. It shows each change and asks before it writes.
It never overwrites a file or a setting of the app, and may be run again.

  --yes   takes the defaults (${PARTS.filter((part) => part.byDefault)
    .map((part) => part.name)
    .join(", ")}) and does not ask
  --all   all parts: ${PARTS.map((part) => part.name).join(", ")}`;

/** Adds the app's half of Pushmill to a Next.js app. */
export const init: Command = async (args, shell) => {
  const { yes, all, help } = optionsOf(args);
  if (help) {
    shell.print(HELP);
    return 0;
  }
  const app = readApp(shell.folder);
  const ask = yes ? null : asking(shell);
  const parts = all ? PARTS.map((part) => part.name) : await askParts(ask, shell);
  const part = plan(app, { parts, subject: await askSubject(app, parts, ask, shell) });
  const { changes } = part;
  checkInside(app.folder, changes);
  for (const change of changes) shell.print(`${shown(change)}\n`);
  if (changes.length > 0 && ask && !isYes(await ask(`${count(changes)}. Write them? [Y/n] `))) {
    shell.print("Nothing was changed.");
    return 1;
  }
  writeAll(app, changes, shell);
  shell.print(nextSteps(app, part));
  return 0;
};

function optionsOf(args: string[]): { yes?: boolean; all?: boolean; help?: boolean } {
  const options = {
    yes: { type: "boolean", short: "y" },
    all: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  };
  try {
    return parseArgs({ args, options: options as Record<string, { type: "boolean"; short?: string }> }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split(".")[0]}: see npx pushmill init --help`);
  }
}

type Ask = (question: string) => Promise<string>;

function asking({ ask }: Shell): Ask {
  if (ask) return ask;
  throw new UsageError(
    "there is no terminal to ask on: npx pushmill init --yes takes the defaults, and prints each change",
  );
}

async function askParts(ask: Ask | null, shell: Shell): Promise<PartName[]> {
  const defaults = PARTS.filter((part) => part.byDefault).map((part) => part.name);
  if (!ask) return defaults;
  const width = Math.max(...PARTS.map(({ name }) => name.length)) + 2;
  const names = PARTS.map(({ name, about }) => `  ${name.padEnd(width)}${about}`).join("\n");
  for (;;) {
    const answer = (await ask(`${names}\nWhich parts? [${defaults.join(" ")}] `)).toLowerCase();
    const words = answer.split(/[\s,]+/).filter(Boolean);
    const chosen = PARTS.map((part) => part.name).filter((name) => words.includes(name) || words.includes("all"));
    if (words.length === 0) return defaults;
    if (words.every((word) => word === "all" || chosen.includes(word as PartName))) return chosen;
    shell.print("There is no such part.");
  }
}

/** Push services write to this address if something is wrong. Apple and Mozilla refuse a message without one. */
async function askSubject(app: App, parts: PartName[], ask: Ask | null, shell: Shell): Promise<string> {
  const git = mailAddress(app.folder) ?? "";
  const known = isContact(git) ? git : PLACEHOLDER;
  if (!ask || !parts.includes("push") || /^\s*VAPID_SUBJECT=/m.test(app.read(".env") ?? "")) return `mailto:${known}`;
  for (;;) {
    const answer = (await ask(`Contact for push services, an e-mail address [${known}] `)).trim() || known;
    if (isContact(answer)) return `mailto:${answer}`;
    shell.print("Apple's push service refuses this: it is no address at a public host.");
  }
}

const isYes = (answer: string) => /^(y|yes)?$/i.test(answer.trim());

const count = (changes: Change[]) => (changes.length === 1 ? "1 file" : `${changes.length} files`);

/** Each file is written as a whole, so after an error another run adds what is missing. */
function writeAll(app: App, changes: Change[], shell: Shell): void {
  for (const change of changes) {
    if (app.read(change.path) !== change.before)
      throw new CliError(`${change.path} has changed meanwhile: start again`);
    write(app.folder, change);
    shell.print(`wrote ${change.path}`);
  }
}
