import type { AddOptions } from "../options.js";

/** The options of a job in bullmq: those of the REST API, and a few that only bullmq has. */
export interface BullOptions extends AddOptions {
  /** How many lines of the job's log stay. */
  keepLogs?: number;
  /** How many lines of a stack trace stay. */
  stackTraceLimit?: number;
}

/** What the failure of a child means for its parent in a flow. At most one of them is true. */
export interface ChildOptions extends BullOptions {
  /** Default true: the parent fails, too. Without it the parent would wait for ever. */
  failParentOnFailure?: boolean;
  /** The parent runs when its other children are done; `getFailedChildrenValues` has the reason. */
  ignoreDependencyOnFailure?: boolean;
  /** The parent runs when its other children are done, and knows nothing of this one. */
  removeDependencyOnFailure?: boolean;
  /** The parent runs at once. */
  continueParentOnFailure?: boolean;
}

const LOWEST_PRIORITY = 2_097_151;
const DEPENDENCY = [
  "failParentOnFailure",
  "ignoreDependencyOnFailure",
  "removeDependencyOnFailure",
  "continueParentOnFailure",
];
// Keys of a queue in Redis: a job with such an id would overwrite one.
const RESERVED =
  /^(active|completed|de|delay|delayed|dn|events|failed|id|limiter|marker|meta|metrics|notes|paused|pc|prioritized|priority|repeat|stalled|stalled-check|wait|waiting-children)$/;

/** Whether no job can have this id. Only ids of a scheduler's jobs have colons: others name keys beside a job. */
export function isNoJob(id: unknown): boolean {
  if (typeof id !== "string" || !id || id.length > 500) return true;
  return RESERVED.test(id) || (id.includes(":") && !/^repeat:[^:]+:\d+$/.test(id));
}

/** A fault of an option, or undefined. */
type Check = (value: never, options: BullOptions) => string | false | undefined;

const whole = (value: unknown, least: number, most = 2 ** 31 - 1) =>
  Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
const natural: Check = (value) => !whole(value, 0, Number.MAX_SAFE_INTEGER) && "is a whole number of 0 or more";
const flag: Check = (value) => typeof value !== "boolean" && "is true or false";

const kept: Check = (value: unknown) => {
  const { age, count } = Object(value);
  const isFit = typeof value === "boolean" || whole(value, 0) || whole(age ?? count, 0);
  return !isFit && "is true, false, a number of jobs, or { age?, count? } with age in seconds";
};

const backoff: Check = (value: unknown) => {
  const { type, delay = 0, jitter = 0 } = Object(value);
  const isFit =
    whole(value, 0) || ((type === "fixed" || type === "exponential") && whole(delay, 0) && jitter >= 0 && jitter <= 1);
  return !isFit && 'is milliseconds, or { type: "fixed" or "exponential", delay, jitter? } with jitter from 0 to 1';
};

const deduplication: Check = (value: NonNullable<BullOptions["deduplication"]>) => {
  if (typeof value?.id !== "string" || !value.id) return "needs an id";
  return value.keepLastIfActive && value.ttl !== undefined && "keepLastIfActive is without ttl";
};

const CHECKS: Record<string, Check> = {
  jobId: (id: unknown) =>
    !(typeof id === "string" && /^(?!-?\d+$)[\w-]{1,128}$/.test(id) && !RESERVED.test(id)) &&
    "has 1 to 128 letters, digits, - and _, is no whole number, and no name that bullmq keeps for itself",
  delay: natural,
  attempts: (value) => !whole(value, 1) && "is a whole number of 1 or more",
  backoff,
  priority: (value) => !whole(value, 0, LOWEST_PRIORITY) && "is a whole number from 1 to 2,097,151",
  lifo: (value, { delay, priority }) =>
    flag(value, {}) || (value && (delay || priority) ? "is ignored by bullmq with a delay or a priority" : undefined),
  removeOnComplete: kept,
  removeOnFail: kept,
  deduplication,
  keepLogs: natural,
  stackTraceLimit: natural,
  repeat: () => "is no option of a job: use upsertJobScheduler of bullmq's Queue",
};

/** Throws a TypeError for an option that bullmq would ignore, or with which it would lose the job. */
export function checkOptions(name: string, options: ChildOptions, isChild = false): void {
  const dependency = Object.fromEntries(isChild ? DEPENDENCY.map((option) => [option, flag]) : []);
  for (const [option, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const check = CHECKS[option] ?? dependency[option];
    const fault = check ? check(value as never, options) : "is no option of a job";
    if (fault) throw new TypeError(`${name}: option ${option} ${fault}`);
  }
}

/** The options of a child: unless told otherwise, its parent fails with it. */
export function ofChild(options: ChildOptions): ChildOptions {
  const isTold = DEPENDENCY.some((option) => (options as Record<string, unknown>)[option] !== undefined);
  return isTold ? options : { ...options, failParentOnFailure: true };
}
