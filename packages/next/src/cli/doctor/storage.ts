import type { Environment } from "./environment.js";
import { type Finding, ok, unknown, wrong } from "./finding.js";
import { factsOf, type Worker } from "./workers.js";

/** Whether browsers upload to where the worker reads. */
export function storageFindings(env: Environment, workers: readonly Worker[]): Finding[] {
  const own = env.get("STORAGE_URL");
  const theirs = factsOf(workers, "storage");
  if (!own) return theirs.length > 0 ? [wrong("Storage", `STORAGE_URL is not set: the worker's is ${theirs[0]}`)] : [];
  const other = theirs.find((each) => trimmed(each) !== trimmed(own));
  if (other) return [wrong("Storage", `the app uploads to ${own}, and a worker reads ${other}: set STORAGE_URL alike`)];
  if (!own.startsWith("s3://")) return [unknown("Storage", `${own}: browsers upload only to a bucket (s3://...)`)];
  return [theirs.length > 0 ? ok("Storage", `${own}, as the worker's`) : unknown("Storage", `no worker reads ${own}`)];
}

const trimmed = (url: string) => url.replace(/\/+$/, "");
