import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { CliError, type Shell } from "../command.js";
import { type Environment, environmentOf } from "./environment.js";

/** The app's folder: its files, its environment, and the packages that are installed in it. */
export interface Folder {
  folder: string;
  env: Environment;
  /** The text of a file, or null if there is none. */
  read(path: string): string | null;
  /** The module as the app would get it; null: it is not installed. */
  load(name: string): unknown;
  /** The version that is installed; null: none. */
  versionOf(name: string): string | null;
}

/** Throws CliError if the folder has no package.json. */
export function readFolder({ folder, env }: Shell): Folder {
  const read = (path: string) => textOf(join(folder, path));
  if (read("package.json") === null) {
    throw new CliError(`there is no package.json in ${folder}: run this in the folder of a Next.js app`);
  }
  const load = (name: string) => loaded(folder, name);
  const versionOf = (name: string) => (loaded(folder, `${name}/package.json`) as { version?: string })?.version ?? null;
  return { folder, env: environmentOf(read, env), read, load, versionOf };
}

function textOf(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

function loaded(folder: string, name: string): unknown {
  try {
    return createRequire(join(folder, "package.json"))(name);
  } catch {
    return null;
  }
}
