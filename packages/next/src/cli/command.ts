/** What a command gets from the process; a test gives its own. */
export interface Shell {
  /** The folder in which the program was started. */
  folder: string;
  env: Readonly<Record<string, string | undefined>>;
  /** Writes one line, or several, to the standard output. */
  print(text: string): void;
  /** Asks on the terminal. null: there is no terminal to ask on. */
  ask: ((question: string) => Promise<string>) | null;
}

/** Does its work and resolves to the process's exit code: 0 if all is well, 1 if not. */
export type Command = (args: string[], shell: Shell) => Promise<number>;

/** Something that the user has to mend. The message is one line: what is wrong, where, what to do. */
export class CliError extends Error {
  override name = "CliError";
}

/** What was typed can't be understood: the exit code is 2. */
export class UsageError extends CliError {
  override name = "UsageError";
}
