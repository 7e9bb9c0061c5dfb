import { type Command, UsageError } from "./command.js";
import { askApi } from "./doctor/api.js";
import { type Finding, lineOf } from "./doctor/finding.js";
import { readFolder } from "./doctor/folder.js";
import { packageFindings } from "./doctor/packages.js";
import { prismaFindings } from "./doctor/prisma.js";
import { queueFindings } from "./doctor/queues.js";
import { lookIntoRedis, redisUrl } from "./doctor/redis.js";
import { serviceWorkerFindings } from "./doctor/service-worker.js";
import { storageFindings } from "./doctor/storage.js";
import { vapidFindings } from "./doctor/vapid.js";
import { sameRedis, workerFindings } from "./doctor/workers.js";
import { version } from "./run.js";

const HELP = `Usage: npx pushmill doctor

Checks whether the app in this folder, its Redis, web.py and the workers fit together, one line for each thing. It reads
the .env files as next dev does (NODE_ENV=production: as next start does), and changes nothing.
The exit status is 1 if something is wrong.`;

/** Checks whether the app and the worker fit together. */
export const doctor: Command = async (args, shell) => {
  if (args.length > 0) {
    if (args.some((arg) => !["--help", "-h"].includes(arg))) {
      throw new UsageError(`doctor takes no ${JSON.stringify(args[0])}: see npx pushmill doctor --help`);
    }
    shell.print(HELP);
    return 0;
  }
  const app = readFolder(shell);
  const [redis, api] = await Promise.all([lookIntoRedis(app), askApi(app.env)]);
  const asked = redis.workers ?? api.workers;
  const workers = asked ?? [];
  const findings = [
    ...packageFindings(app, process.versions.node, redisUrl(app) !== undefined),
    ...redis.findings,
    ...api.findings,
    ...sameRedis(redis.workers, api.workers),
    ...(asked ? workerFindings(workers, version()) : []),
    ...queueFindings(app, workers, redis.queues),
    ...vapidFindings(app.env, workers),
    ...storageFindings(app.env, workers),
    ...prismaFindings(app, workers),
    ...serviceWorkerFindings(app),
  ];
  for (const finding of findings) shell.print(lineOf(finding));
  shell.print(`\n${summary(findings)}`);
  return findings.some(({ mark }) => mark === "wrong") ? 1 : 0;
};

function summary(findings: readonly Finding[]): string {
  const count = findings.filter(({ mark }) => mark === "wrong").length;
  return count === 0 ? "Nothing is wrong." : `Wrong: ${count}.`;
}
