import { spawnSync } from "node:child_process";

/** What git says to a question about a folder; null: no (or no git, or no repository). */
function git(folder: string, ...args: string[]): string | null {
  const { status, stdout } = spawnSync("git", ["-C", folder, ...args], { encoding: "utf8", timeout: 10_000 });
  return status === 0 ? stdout.trim() : null;
}

export const isCommitted = (folder: string, path: string) => git(folder, "ls-files", "--error-unmatch", path) !== null;

/** Whether git would leave the file alone. Without a repository: whether the folder's .gitignore names it. */
export function isIgnored(folder: string, path: string, gitignore: string | null): boolean {
  if (git(folder, "rev-parse") !== null) return git(folder, "check-ignore", "-q", path) !== null;
  const names = (gitignore ?? "").split(/\r?\n/).map((line) => line.trim().replace(/^\//, ""));
  return names.includes(path) || names.includes(`${path}*`);
}

export const mailAddress = (folder: string) => git(folder, "config", "user.email");
