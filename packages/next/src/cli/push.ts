import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { QueueService } from "../bullmq/index.js";
import { CliError, type Command, type Shell, UsageError } from "./command.js";
import { variables } from "./init/dotenv.js";
import { tlsOf } from "./redis-tls.js";
import { redisUrlOf } from "./redis-url.js";

const HELP = `Usage: npx pushmill push <userId> <text>

Adds a job that pushes the text to all devices of a user, with the REDIS_URL of the environment or of
.env in this folder, and waits 30 seconds for what the worker says.`;

const PATIENCE = 30_000; // milliseconds

/** Sends a push, to see that all parts work. */
export const push: Command = async (args, shell) => {
  const { help, userId, text } = optionsOf(args);
  if (help) {
    shell.print(HELP);
    return 0;
  }
  const { QueueService } = await bullmq();
  const queues = new QueueService(options(shell));
  try {
    return await send(queues, { userId, payload: { title: text, url: "/" } }, shell);
  } finally {
    await queues.close();
  }
};

function optionsOf(args: string[]): { help: boolean; userId: string; text: string } {
  const options = { help: { type: "boolean", short: "h", default: false } } as const;
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true, strict: false });
  const [userId = "", text = "", ...more] = positionals;
  const help = values.help === true;
  if (!help && (!userId || !text || more.length > 0)) {
    throw new UsageError('write npx pushmill push <userId> "text": see npx pushmill push --help');
  }
  return { help, userId, text };
}

async function bullmq(): Promise<typeof import("../bullmq/index.js")> {
  try {
    return await import("../bullmq/index.js");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new CliError("bullmq is not installed in this app: npm install bullmq ioredis");
  }
}

/** The worker's own settings of Redis. */
function options({ env, folder }: Shell): ConstructorParameters<typeof QueueService>[0] {
  const file = variables(textOf(join(folder, ".env")));
  const setting = (name: string) => env[name] || file.get(name);
  const url = redisUrlOf(setting);
  if (!url) throw new CliError("REDIS_URL is not set, neither in the environment nor in .env of this folder");
  const tls = tlsOf(url, setting);
  const prefix = setting("BULLMQ_PREFIX");
  return { connection: { url, ...tls }, ...(prefix ? { prefix } : {}) };
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

type Data = Parameters<QueueService["addPushNotification"]>[0];

async function send(queues: QueueService, data: Data, { print }: Shell): Promise<number> {
  try {
    const job = await queues.addPushNotification(data);
    const { sent, total } = await queues.wait(job, { timeout: PATIENCE });
    print(
      total === 0
        ? `${data.userId} has no device: click the button in a browser first`
        : `sent to ${sent} of ${total} devices${sent < total ? ": npx pushmill doctor and the worker's log say why" : ""}`,
    );
    return sent > 0 ? 0 : 1;
  } catch (error) {
    throw new CliError(said(error as Error));
  }
}

function said(error: Error): string {
  if (error.name !== "TimeoutError") return error.message;
  return `no worker has done the job in ${PATIENCE / 1000} s: does one run, with the same REDIS_URL? The job waits for it`;
}
