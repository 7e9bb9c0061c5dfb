import type { App } from "./app.js";
import { nothing, type Part } from "./part.js";

const FILES = ["next.config.ts", "next.config.mjs", "next.config.js", "next.config.mts", "next.config.cjs"];
const LINE = '  serverExternalPackages: ["bullmq"],';
// The literal of create-next-app, whatever it has in it: the line may be its first one.
const LITERAL = /^(const nextConfig(?:: NextConfig)? = \{)(\r?\n)/m;

/** bullmq has no `exports` and brings Lua scripts along: Next.js must not bundle it. */
export function nextConfigOf(app: App): Part {
  const path = FILES.find((file) => app.read(file) !== null);
  const before = path === undefined ? null : app.read(path);
  if (path === undefined || before === null) {
    return { ...nothing(), byHand: [`next.config.ts is not there: make it, with ${LINE.trim()}`] };
  }
  if (/serverExternalPackages[^\]]*["'`]bullmq["'`]/.test(before)) return nothing();
  if (before.includes("serverExternalPackages") || !LITERAL.test(before)) {
    return { ...nothing(), byHand: [`${path}: add ${LINE.trim()}`] };
  }
  const after = before.replace(LITERAL, (_, head: string, end: string) => `${head}${end}${LINE}${end}`);
  return { ...nothing(), changes: [{ path, before, after }] };
}
