// Folders that look like a Next.js app, and `init` over them.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { run } from "../../dist/esm/cli/run.js";

export const TEMPLATE_CONFIG = `import type { NextConfig } from "next";

const nextConfig: NextConfig = {
  /* config options here */
};

export default nextConfig;
`;

/** What create-next-app makes, as far as `init` looks at it. */
export const FRESH = {
  "package.json": packageJson({ next: "16.4.3" }),
  "tsconfig.json": '{ "compilerOptions": { "paths": { "@/*": ["./*"] } } }',
  "next.config.ts": TEMPLATE_CONFIG,
  ".gitignore": "/node_modules\n.env*\n",
  "app/page.tsx": "export default function Home() {}\n",
};

export function packageJson(dependencies, more = {}) {
  return `${JSON.stringify({ name: "my-app", scripts: { dev: "next dev" }, dependencies, ...more }, null, 2)}\n`;
}

/** Makes the files in a new folder, which is removed after the test. null leaves one out. */
export function makeApp(test, files = {}) {
  const folder = mkdtempSync(join(tmpdir(), "pushmill-app-"));
  test.after(() => rmSync(folder, { recursive: true }));
  for (const [path, text] of Object.entries({ ...FRESH, ...files })) if (text !== null) put(folder, path, text);
  return folder;
}

export function put(folder, path, text) {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

export const text = (folder, path) => readFileSync(join(folder, path), "utf8");

/** All files below a folder: path -> text. */
export function tree(folder) {
  const names = readdirSync(folder, { recursive: true }).filter((name) => statSync(join(folder, name)).isFile());
  return Object.fromEntries(names.sort().map((name) => [name, text(folder, name)]));
}

/** Runs `pushmill init` in the folder. Without `answers` there is no terminal; `heard` gets each line. */
export async function init(folder, args = ["--yes"], answers = null, heard = () => {}) {
  const asked = [];
  const said = [];
  const ask = answers && (async (question) => asked.push(question) && (answers.shift() ?? ""));
  const print = (line) => {
    said.push(line);
    heard(line);
  };
  const shell = { folder, env: {}, print, ask };
  const code = await run(["init", ...args], shell);
  return { code, said: said.join("\n"), asked };
}

export function git(folder, ...args) {
  execFileSync("git", ["-C", folder, "-c", "user.name=a", "-c", "user.email=a@example.com", ...args], {
    stdio: "pipe",
  });
}
