import { CliError, type Command } from "./command.js";

/** Adds the app's half of Pushmill to a Next.js app. */
export const init: Command = async () => {
  throw new CliError("init is not there yet");
};
