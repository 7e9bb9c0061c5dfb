import { CliError, type Command } from "./command.js";

/** Says what of the app and the worker does not fit together. */
export const doctor: Command = async () => {
  throw new CliError("doctor is not there yet");
};
