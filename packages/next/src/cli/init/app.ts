import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { CliError } from "../command.js";
import { parseJsonc } from "./jsonc.js";

/** What is known of the app in a folder. Paths are relative to the folder, with slashes. */
export interface App {
  folder: string;
  /** "src/" if the app's code is below src, else "". */
  source: "" | "src/";
  /** Names of all packages in package.json, with the versions asked for. */
  packages: ReadonlyMap<string, string>;
  /** How a package is added: `npm install`, `pnpm add`, ... */
  install: string;
  alias: Alias | null;
  /** The text of a file, or null if there is none. */
  read(path: string): string | null;
}

/** tsconfig's `"@/*": ["./src/*"]` is {prefix: "@/", base: "src/"}. */
export interface Alias {
  prefix: string;
  base: string;
}

const OLDEST_NEXT = 15;

/** Reads the app in the folder. Throws CliError if it is none that `init` can add to. */
export function readApp(folder: string): App {
  const read = (path: string) => textOf(join(folder, path), path);
  const packages = packagesOf(read("package.json"), folder);
  checkNext(packages.get("next"), folder);
  const source = sourceOf(folder);
  const tsconfig = read("tsconfig.json");
  if (tsconfig === null) {
    throw new CliError(
      "this app is JavaScript, and init writes TypeScript, which may stand beside it: make an empty tsconfig.json," +
        " which next dev fills in, and start again",
    );
  }
  return { folder, source, packages, install: installer(folder), alias: aliasOf(tsconfig), read };
}

function textOf(file: string, path: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return null;
    throw new CliError(`can't read ${path}: ${(error as Error).message}`);
  }
}

function packagesOf(text: string | null, folder: string): Map<string, string> {
  if (text === null)
    throw new CliError(`there is no package.json in ${folder}: run this in the folder of a Next.js app`);
  try {
    const { dependencies, devDependencies } = JSON.parse(text) as Record<string, Record<string, string> | undefined>;
    return new Map(Object.entries({ ...devDependencies, ...dependencies }));
  } catch (error) {
    throw new CliError(`can't read package.json: ${(error as Error).message}`);
  }
}

function checkNext(version: string | undefined, folder: string): void {
  if (version === undefined)
    throw new CliError(`package.json in ${folder} has no next: run this in a Next.js app's folder`);
  const major = /\d+/.exec(version)?.[0]; // none in "latest" and "canary"
  if (major && Number(major) < OLDEST_NEXT) {
    throw new CliError(`package.json asks for next ${version}: Pushmill needs ${OLDEST_NEXT} or newer`);
  }
}

/** Next.js ignores src/app if there is an app or pages folder beside src. */
function sourceOf(folder: string): "" | "src/" {
  const has = (path: string) => statSync(join(folder, path), { throwIfNoEntry: false })?.isDirectory() ?? false;
  if (has("app")) return "";
  if (has("src/app")) return "src/";
  const beside = has("src/pages") ? "src/app" : "app";
  throw new CliError(
    has("pages") || has("src/pages")
      ? `this app has only pages, and Pushmill's routes are route handlers, which work beside them: make the folder ${beside} and start again`
      : "there is no folder app or src/app: run this in a Next.js app's folder",
  );
}

const LOCK_FILES: [string, string][] = [
  ["pnpm-lock.yaml", "pnpm add"],
  ["yarn.lock", "yarn add"],
  ["bun.lock", "bun add"],
  ["bun.lockb", "bun add"],
];

function installer(folder: string): string {
  return LOCK_FILES.find(([file]) => existsSync(join(folder, file)))?.[1] ?? "npm install";
}

interface Tsconfig {
  compilerOptions?: { baseUrl?: string; paths?: Record<string, string[]> };
}

function aliasOf(tsconfig: string): Alias | null {
  let options: Tsconfig["compilerOptions"];
  try {
    options = (parseJsonc(tsconfig) as Tsconfig | null)?.compilerOptions;
  } catch {
    return null; // empty, or beyond us: imports are relative then
  }
  for (const [key, [to = ""]] of Object.entries(options?.paths ?? {})) {
    const target = `${options?.baseUrl ?? "."}/${to}`
      .split("/")
      .filter((part) => part !== "." && part !== "")
      .join("/");
    if (key.endsWith("/*") && ["*", "src/*"].includes(target)) {
      return { prefix: key.slice(0, -1), base: target.slice(0, -1) };
    }
  }
  return null;
}

/** How one file of the app imports another: by the alias of tsconfig.json, else by a relative path. */
export function importPath(app: App, from: string, to: string): string {
  const name = to.replace(/\.(ts|tsx|js|mjs)$/, "");
  if (app.alias && name.startsWith(app.alias.base)) return app.alias.prefix + name.slice(app.alias.base.length);
  const up = from.split("/").slice(0, -1);
  const down = name.split("/");
  while (up.length > 0 && up[0] === down[0]) {
    up.shift();
    down.shift();
  }
  return (up.length > 0 ? "../".repeat(up.length) : "./") + down.join("/");
}

/** The first major version in a range such as "^7.1.0"; null if it names none. */
export function majorOf(range: string | undefined): number | null {
  const major = /\d+/.exec(range ?? "")?.[0];
  return major === undefined ? null : Number(major);
}
