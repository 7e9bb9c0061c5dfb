import type { Queue } from "bullmq";
import { clientOf } from "./client.js";

const DAY = 86_400; // seconds
const LONGEST = 28 * DAY;
const LONGEST_KEY = 200; // characters
const PREFIX = "bull"; // bullmq's own default

export interface CancelOptions {
  /** How long a job with this key may wait: one day by default, 28 at most. */
  seconds?: number;
}

/** A key that was cancelled, as the worker looks for it. */
export interface Mark {
  key: string;
  /** Jobs are taken back whose `timestamp` is not later: milliseconds since the epoch. */
  moment: number;
  /** How long the mark stays. */
  milliseconds: number;
}

/** The mark that cancels a key now. Throws a TypeError for what the worker would refuse. */
export function markOf(cancelKey: string | number, { seconds = DAY }: CancelOptions = {}, prefix = PREFIX): Mark {
  const isKey = typeof cancelKey === "string" || Number.isSafeInteger(cancelKey);
  const key = isKey ? String(cancelKey) : "";
  const characters = [...key].length;
  if (characters < 1 || characters > LONGEST_KEY) {
    throw new TypeError(`cancel: the key is no text of 1 to ${LONGEST_KEY} characters, and no whole number`);
  }
  if (!(typeof seconds === "number" && seconds > 0 && seconds <= LONGEST)) {
    throw new TypeError("cancel: seconds is no number from more than 0 to 28 days");
  }
  const milliseconds = Math.max(1, Math.round(seconds * 1000));
  return { key: `${prefix}:pushmill:cancelled:${key}`, moment: Date.now() + 1, milliseconds };
}

/** Sets the mark, over the connection of any queue. */
export async function set(queue: Queue, { key, moment, milliseconds }: Mark): Promise<void> {
  const client = await clientOf(queue);
  await client.set(key, String(moment), "PX", milliseconds);
}

/** Waits until the mark's millisecond has passed, so that a job that is added next has a later one. */
export async function passed({ moment }: Mark): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, moment + 2 - Date.now())); // timers may be a millisecond early
}
