// When the cron-parser inside stock bullmq says that patterns are due next. A list of [pattern, tz, after, seed] comes on
// stdin, `after` in milliseconds; a list of milliseconds goes to stdout, or of messages where it finds none.
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

const bullmq = createRequire(import.meta.url).resolve("bullmq");
const { CronExpressionParser } = createRequire(bullmq)("cron-parser");

function next([pattern, tz, after, hashSeed]) {
  try {
    return CronExpressionParser.parse(pattern, { tz, hashSeed, currentDate: new Date(after) }).next().getTime();
  } catch (error) {
    return error.message;
  }
}

console.log(JSON.stringify(JSON.parse(await text(process.stdin)).map(next)));
