import { type Finding, ok, wrong } from "./finding.js";
import type { Folder } from "./folder.js";

const OLDEST_NODE = [20, 9];

/** Whether Node.js and the packages are those that Pushmill works with. */
export function packageFindings(app: Folder, node: string, usesRedis: boolean): Finding[] {
  const [major = 0, minor = 0] = node.split(".").map(Number);
  const [oldest = 0, least = 0] = OLDEST_NODE;
  const isOld = major < oldest || (major === oldest && minor < least);
  const first = isOld
    ? wrong("Node.js", `${node}: Pushmill needs ${OLDEST_NODE.join(".")} or newer`)
    : ok("Node.js", node);
  return usesRedis ? [first, bullmq(app)] : [first];
}

function bullmq(app: Folder): Finding {
  const version = app.versionOf("bullmq");
  const missing = [version === null && "bullmq", app.versionOf("ioredis") === null && "ioredis"].filter(Boolean);
  const isOwnRedis = version?.startsWith("5."); // bullmq 5 brings its own ioredis
  if (version === null || (missing.length > 0 && !isOwnRedis)) {
    return wrong("bullmq", `${missing.join(" and ")} not installed: npm install ${missing.join(" ")}`);
  }
  const isKnown = ["5", "6"].includes(version.split(".")[0] ?? "");
  return isKnown ? ok("bullmq", version) : wrong("bullmq", `${version}: Pushmill works with bullmq 5 and 6`);
}
