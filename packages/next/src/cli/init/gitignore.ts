import type { App } from "./app.js";
import { appended } from "./changes.js";
import { isIgnored } from "./git.js";
import { nothing, type Part } from "./part.js";

const FILE = ".gitignore";

/** Names what must not be in git: keys, the database, and what is generated. */
export function gitignoreOf(app: App, paths: string[]): Part {
  const before = app.read(FILE);
  const missing = paths.filter((path) => !isIgnored(app.folder, path, before));
  if (missing.length === 0) return nothing();
  const after = appended(before ?? "", missing.map((path) => `/${path}\n`).join(""));
  return { ...nothing(), changes: [{ path: FILE, before, after }] };
}
