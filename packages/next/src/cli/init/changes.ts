import { lstatSync, mkdirSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, sep } from "node:path";
import { CliError } from "../command.js";

/** One file as it is and as it shall be. `path` is relative to the app's folder, with slashes. */
export interface Change {
  path: string;
  /** null: the file is new. */
  before: string | null;
  after: string;
  /** Shown instead of the content, for a file that nobody reads. */
  summary?: string;
  /** What must not be printed, nor the lines around the change. It is written all the same. */
  secrets?: string[];
  /** For a new file; default: as the process makes files. */
  mode?: number;
}

const CONTEXT = 2; // unchanged lines around a change

/** The change as a reader sees it: a head, and the lines with +, - or a space before them. */
export function shown(change: Change): string {
  const head = `${change.before === null ? "new" : "changed"}: ${change.path}`;
  if (change.summary) return `${head}\n  ${change.summary}`;
  const text = difference(change).join("\n");
  return `${head}\n${(change.secrets ?? []).reduce((hidden, secret) => hidden.replaceAll(secret, "(secret)"), text)}`;
}

/** A change has one place, so what is the same at both ends is left out. */
function difference({ secrets, ...change }: Change): string[] {
  const [before, after] = [lines(change.before ?? ""), lines(change.after)];
  const context = secrets ? 0 : CONTEXT;
  const most = Math.min(before.length, after.length);
  let start = 0;
  while (start < most && before[start] === after[start]) start++;
  let end = 0;
  while (end < most - start && before.at(-1 - end) === after.at(-1 - end)) end++;
  const marked = (mark: string, all: string[]) => all.map((line) => `  ${mark} ${line}`.trimEnd());
  return [
    ...marked(" ", before.slice(Math.max(0, start - context), start)),
    ...marked("-", before.slice(start, before.length - end)),
    ...marked("+", after.slice(start, after.length - end)),
    ...marked(" ", before.slice(before.length - end).slice(0, context)),
  ];
}

function lines(text: string): string[] {
  const all = text.split(/\r?\n/);
  return all.at(-1) === "" ? all.slice(0, -1) : all;
}

/** Adds lines at the end, after an empty one, with the file's own line ends. */
export function appended(text: string, addition: string): string {
  const end = text.includes("\r\n") ? "\r\n" : "\n";
  const kept = text === "" || /\r?\n$/.test(text) ? text : text + end;
  const gap = kept === "" || /\r?\n\r?\n$/.test(kept) ? "" : end;
  return kept + gap + addition.replaceAll("\n", end);
}

/** Throws CliError if a change leads out of the folder, through a symbolic link or otherwise. Nothing is written. */
export function checkInside(folder: string, changes: Change[]): void {
  for (const { path } of changes) target(folder, path);
}

/** Writes a file as a whole or not at all. Throws CliError, which names the file. */
export function write(folder: string, change: Change): void {
  const path = target(folder, change.path);
  const temporary = `${path}.pushmill-${process.pid}`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? change.mode;
    writeFileSync(temporary, change.after, { flag: "wx", ...(mode === undefined ? {} : { mode }) });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new CliError(`can't write ${change.path}: ${(error as Error).message}`);
  }
}

/** The real path of a file: of itself if it is there, else below the nearest folder that is. */
function target(folder: string, path: string): string {
  const root = realpathSync(folder);
  try {
    const real = realPath(join(root, path));
    if (real.startsWith(root + sep)) return real;
  } catch (error) {
    throw new CliError(`can't write ${path}: ${(error as Error).message}`);
  }
  throw new CliError(`${path} is behind a symbolic link that leads out of this folder: run this where it leads to`);
}

/** Throws if a link leads nowhere, or a folder of the path is a file. */
function realPath(path: string): string {
  if (lstatSync(path, { throwIfNoEntry: false })) return realpathSync(path);
  return join(realPath(dirname(path)), basename(path));
}
