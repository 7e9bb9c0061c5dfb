import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type App, importPath } from "./app.js";
import type { Change } from "./changes.js";

/** How the app's own module for one of ours is called, and what it exports. */
export interface Stand {
  /** In the app's folder, or a package that begins with @. */
  path: string;
  /** The import's words: `{ prisma }`, `{ db as prisma }`, `prisma`. */
  words: string;
}

/** Imports of `@/name` in a template that lead to another module in this app. */
export type Stands = Record<string, Stand>;

const IMPORT = /^import (.+) from "@\/(.+)";$/gm;

/** The text of a file that the package ships. `name` is relative to the package's folder. */
export function shipped(name: string): string {
  return readFileSync(fileURLToPath(new URL(`../../../../${name}`, import.meta.url)), "utf8");
}

/** A new file from a template, or none if the app has a file of that name: it is the app's own then. */
export function fromTemplate(app: App, template: string, path: string, stands: Stands = {}): Change[] {
  if (app.read(path) !== null) return [];
  const text = shipped(`templates/${template}`).replace(IMPORT, (_, words: string, name: string) => {
    const stand = stands[name] ?? { path: `${app.source}${name}`, words };
    const from = stand.path.startsWith("@") ? stand.path : importPath(app, path, stand.path);
    return `import ${stand.words} from "${from}";`;
  });
  return [{ path, before: null, after: text }];
}
