import type { Change } from "./changes.js";

/** What one part of `init` wants: files, packages, and what it leaves to the developer. */
export interface Part {
  changes: Change[];
  /** One line or several for each thing to be done by hand: it is printed until it is done. */
  byHand: string[];
  /** Packages that the app needs. */
  packages: string[];
  /** Files and folders that git should leave alone. */
  ignored?: string[];
}

export const nothing = (): Part => ({ changes: [], byHand: [], packages: [] });

export function together(parts: Part[]): Part {
  return {
    changes: parts.flatMap((part) => part.changes),
    byHand: parts.flatMap((part) => part.byHand),
    packages: [...new Set(parts.flatMap((part) => part.packages))],
  };
}
