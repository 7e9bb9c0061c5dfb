import { readFileSync } from "node:fs";
import { CliError } from "./command.js";

/**
 * ioredis' options for a certificate that no authority of Node.js' has signed, from the worker's own settings; `setting`
 * gives the value of a variable. Throws a CliError if the certificate of REDIS_TLS_CA can't be read.
 */
export function tlsOf(url: string, setting: (name: string) => string | undefined): { tls?: object } {
  if (!/^rediss:/i.test(url)) return {};
  const ca = setting("REDIS_TLS_CA");
  if (ca) return { tls: { ca: certificate(ca) } };
  return setting("REDIS_TLS_INSECURE") === "1" ? { tls: { rejectUnauthorized: false } } : {};
}

function certificate(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new CliError(`REDIS_TLS_CA: the file can't be read (${(error as NodeJS.ErrnoException).code})`);
  }
}
