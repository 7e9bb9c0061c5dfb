import { randomUUID } from "node:crypto";
import { FlowProducer, type Job, type JobNode, type JobsOptions, Queue, QueueEvents } from "bullmq";
import { QUEUE_OF } from "../jobs.js";
import { JobFailedError, timedOut, type WaitOptions } from "../options.js";
import { type OwnQueues, queueOf } from "../queues.js";
import type { JobEvent, JobName, JobRef, JobSource, JobStatus, MessageSource, Payload, QueueName } from "../status.js";
import { type JobOf, TypedAdds } from "./adds.js";
import { type CancelOptions, markOf, passed, set } from "./cancel.js";
import { Channels, type Hear } from "./channels.js";
import { clientOf, listening } from "./client.js";
import { type Connection, checkedConnection, ofListener, ofProducer, RedisError } from "./connection.js";
import { type Flow, flowJob } from "./flow.js";
import { type Follow, follower } from "./follow.js";
import { type BullOptions, checkOptions } from "./options.js";
import { closed, isClosed, line, type Opened, within } from "./patience.js";
import { type Ending, eventOf, lastEvent, look, told } from "./status.js";

/** A job to be added. */
export type Addition = { [Name in JobName]: { name: Name; data: Payload<Name>; options?: BullOptions } }[JobName];
/** A job of bullmq, or where it is. */
export type Followable<Value = unknown> = JobRef | { id?: string | undefined; queueName: string; returnvalue: Value };

export interface QueueServiceOptions {
  /**
   * `{ url: process.env.REDIS_URL }`, with more of ioredis' options if needed: Heroku's `rediss://` has a self-signed
   * certificate, so it takes `tls: { rejectUnauthorized: false }`. Each queue has a connection of its own; a client of
   * ioredis in place of options is shared by all of them.
   */
  connection: Connection;
  /** BullMQ's key prefix, as in the worker's BULLMQ_PREFIX. Default "bull". */
  prefix?: string;
  /** Milliseconds that a call waits for Redis; default 5,000. A route must answer, and bullmq would wait for ever. */
  timeout?: number;
  /** The queues of the team's own jobs: OWN_QUEUES of the file that `scripts.typescript_types` prints. */
  queues?: OwnQueues;
}

const TIMEOUT = 5000;
const DEAD = "dead";
const ANY = "push-notifications"; // whose connection serves what is of no queue
const PRODUCER = "flow producer";
const FIRST_LOOK = 250; // milliseconds until a followed job is looked at again; the pause doubles
const LAST_LOOK = 5000;

/**
 * Adds jobs for the worker and follows them, over the stock `bullmq`. It connects with the first job, so a module that
 * makes one may be imported anywhere. Every call waits `timeout` for Redis, then throws a RedisError. `add` gives each
 * job a random id, unless `options.jobId` names one: a command that is sent again over a new connection adds no second
 * job. If `mayBeDone` of the error is true, the job may still be added; to be sure of one, add it again with the same
 * `jobId`.
 */
export class QueueService extends TypedAdds implements JobSource, MessageSource {
  readonly #options: QueueServiceOptions;
  readonly #queues: Set<string>;
  readonly #opened = new Map<string, Opened>();
  readonly #followed = new Map<string, Follow>();
  readonly #channels = new Channels();
  #lastError: string | undefined;

  constructor(options: QueueServiceOptions) {
    super();
    this.#options = options;
    this.#queues = new Set(Object.values({ ...QUEUE_OF, ...options.queues }));
  }

  /** Adds a job of any name. Throws a TypeError for an unknown name or option, RedisError if Redis is away. */
  async add<Name extends JobName>(name: Name, data: Payload<Name>, options: BullOptions = {}): Promise<JobOf<Name>> {
    const queue = this.#queueOf(name);
    checkOptions(name, options);
    const opts = identified(options);
    return (await this.#ask(queue, (it) => it.add(name, data, opts))) as JobOf<Name>;
  }

  /**
   * Adds many jobs, queue by queue. Returns them in their order. If some may have been added before Redis was away or
   * refused one, `mayBeDone` of the RedisError is true.
   */
  async addBulk(jobs: Addition[]): Promise<Job[]> {
    const places = new Map<string, number[]>();
    jobs.forEach(({ name, options = {} }, index) => {
      checkOptions(name, options);
      const queue = this.#queueOf(name);
      places.set(queue, [...(places.get(queue) ?? []), index]);
    });
    const bulk = jobs.map(({ name, data, options = {} }) => ({ name, data, opts: identified(options) }));
    const added: Job[] = [];
    for (const [queue, indices] of places) {
      const part = indices.flatMap((index) => bulk[index] ?? []);
      const some = await this.#ask(queue, (it) => it.addBulk(part), part.length).catch((error) => {
        throw added.length && error instanceof RedisError ? new RedisError(error.message, true) : error;
      });
      some.forEach((job, place) => {
        added[indices[place] as number] = job;
      });
    }
    return added;
  }

  /**
   * Adds a job that runs when its children are done, and all of them, in one step. A parent fails with its child unless
   * the child's options say otherwise: bullmq would let it wait for ever.
   */
  async flow(tree: Flow): Promise<JobNode> {
    const job = flowJob(tree, (name) => this.#queueOf(name));
    const producer = this.#open(PRODUCER, () => new FlowProducer(this.#settings(ofProducer)));
    return await this.#within(PRODUCER, producer, () => producer.add(job), 1 + (job.children?.length ?? 0));
  }

  /** A job as it is; null: there is none (any more). */
  async status<Value = unknown>(job: Followable<Value>): Promise<JobStatus<Value> | null> {
    const { id, queue } = refOf(job);
    if (!this.#knows(queue)) return null;
    return await this.#ask(queue, (it) => look<Value>(it, id));
  }

  /**
   * Follows a job until it has ended; the first event is the job as it is. The signal ends it, too. A queue has one
   * connection for all that is followed in it.
   */
  async *events<Value = unknown>(
    job: Followable<Value>,
    { signal }: { signal?: AbortSignal } = {},
  ): AsyncGenerator<JobEvent<Value>, void> {
    const ref = refOf(job);
    if (!this.#knows(ref.queue)) return yield { type: "gone", job: ref };
    const followed = this.#follow(ref.queue)(ref.id);
    let [last, seen, pause] = ["", null as JobStatus<Value> | null, FIRST_LOOK];
    try {
      for (let ending: Ending | undefined; !signal?.aborted; ending = await followed.news(pause, signal)) {
        const now = await this.status<Value>(ref);
        // bullmq may tell of the end after it has removed the job.
        for (let tries = 0; !now && seen && !ending && tries < 4; tries++)
          ending = await followed.news(FIRST_LOOK, signal);
        if (!now) return yield lastEvent(ref, seen, ending);
        const event = eventOf(now);
        const facts = JSON.stringify([now.state, now.progress]);
        pause = facts === last ? Math.min(2 * pause, LAST_LOOK) : FIRST_LOOK;
        if (facts !== last) yield event;
        if (event.type !== "progress") return;
        [last, seen] = [facts, now];
      }
    } finally {
      followed.stop();
    }
  }

  /** Waits for a job's result. Rejects with JobFailedError if it failed or was removed, and with a TimeoutError. */
  async wait<Value = unknown>(job: Followable<Value>, { timeout = 60_000, signal }: WaitOptions = {}): Promise<Value> {
    const ref = refOf(job);
    const aborter = new AbortController();
    const stop = () => aborter.abort();
    const timer = setTimeout(stop, timeout);
    signal?.addEventListener("abort", stop, { once: true });
    try {
      signal?.throwIfAborted();
      for await (const event of this.events<Value>(ref, { signal: aborter.signal })) {
        if (event.type === "completed") return event.job.result as Value;
        if (event.type === "failed") throw new JobFailedError(event.job.reason);
        if (event.type === "gone") throw new JobFailedError(`job ${ref.id} was removed`);
      }
      signal?.throwIfAborted();
      throw timedOut(`job ${ref.id} has not ended in ${timeout} ms`);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
    }
  }

  /** How many jobs each queue has in each state. */
  async counts(): Promise<Record<string, Record<string, number>>> {
    const counts = [...this.#queues].map((name) =>
      this.#ask(name, async (queue) => [name, await queue.getJobCounts()] as const),
    );
    return Object.fromEntries(await Promise.all(counts));
  }

  /** The jobs of a queue that failed for good, the newest first. */
  async failed(queue: QueueName | (string & {}), { start = 0, count = 50 } = {}): Promise<JobStatus[]> {
    if (!this.#knows(queue)) throw new TypeError(`no such queue: ${queue}`);
    const jobs = await this.#ask(queue, (it) => it.getJobs(["failed"], start, start + count - 1));
    return jobs.map((job) => told(job, "failed"));
  }

  /** Runs a failed job again from its first attempt, and drops its dead letter. */
  async retry(job: Followable): Promise<void> {
    const { id, queue } = refOf(job);
    if (!(await this.status({ id, queue }))) throw new TypeError(`there is no job ${id} in ${queue}`);
    await this.#ask(queue, async (it) => (await it.getJob(id))?.retry("failed", { resetAttemptsMade: true }));
    await this.#ask(DEAD, (it) => it.remove(`bullmq-${queue}-${id}`.replaceAll(":", "-")));
  }

  /**
   * Takes back all jobs with this cancelKey that were added until now, in every queue. The call is over once a job that
   * is added next is not taken back. Throws a TypeError for a key or a time that the worker would refuse.
   */
  async cancel(cancelKey: string | number, options?: CancelOptions): Promise<void> {
    const mark = markOf(cancelKey, options, this.#options.prefix);
    await this.#ask(ANY, (queue) => set(queue, mark));
    await passed(mark);
  }

  /**
   * Hears what is published on a channel of Redis. `hear` gets each message, and null when the connection is lost: then
   * nothing more comes. Returns what ends it. All who listen share one connection.
   */
  async listen(channel: string, hear: Hear): Promise<() => void> {
    const leave = () => this.#channels.leave(channel, hear);
    const begin = async (queue: Queue) => {
      const client = await clientOf(queue);
      await this.#channels.listen(channel, hear, () => listening(client));
    };
    try {
      await this.#ask(ANY, begin);
    } catch (error) {
      leave();
      throw error;
    }
    return leave;
  }

  /** Closes all connections, so that a script can end. The next call opens new ones. */
  async close(): Promise<void> {
    const opened = [...this.#opened.values()];
    this.#opened.clear();
    this.#followed.clear();
    this.#channels.close();
    await Promise.all(opened.map((each) => closed(each, this.#timeout)));
  }

  get #timeout(): number {
    return this.#options.timeout ?? TIMEOUT;
  }

  #settings(of: typeof ofProducer) {
    const { connection, prefix } = this.#options;
    return { connection: of(checkedConnection(connection)), ...(prefix && { prefix }) };
  }

  #queueOf(name: string): string {
    return queueOf(name, this.#options.queues);
  }

  #knows(queue: string): boolean {
    return queue === DEAD || this.#queues.has(queue);
  }

  #open<Kind extends Opened & { on(event: "error", listener: (error: Error) => void): unknown }>(
    name: string,
    open: () => Kind,
  ): Kind {
    const known = this.#opened.get(name);
    if (known) return known as Kind;
    const opened = open();
    opened.on("error", (error) => {
      // That it is closed follows the error for which it is.
      if (!isClosed(error)) this.#lastError = line(error);
    });
    this.#opened.set(name, opened);
    return opened;
  }

  /** Closes in the background; the next call opens anew. */
  #drop(name: string, opened: Opened): void {
    if (this.#opened.get(name) !== opened) return;
    this.#opened.delete(name);
    void closed(opened, this.#timeout);
  }

  #ask<Value>(name: string, call: (queue: Queue) => Promise<Value>, jobs?: number): Promise<Value> {
    const queue = this.#open(name, () => new Queue(name, this.#settings(ofProducer)));
    return this.#within(name, queue, () => call(queue), jobs);
  }

  async #within<Value>(name: string, opened: Opened, call: () => Promise<Value>, jobs?: number): Promise<Value> {
    const drop = () => this.#drop(name, opened);
    return await within(opened, call, { timeout: this.#timeout, lastError: () => this.#lastError, drop, jobs });
  }

  #follow(queue: string): Follow {
    const key = `events of ${queue}`;
    const open = () => this.#open(key, () => new QueueEvents(queue, this.#settings(ofListener)));
    const close = (events: QueueEvents) => this.#drop(key, events);
    const known = this.#followed.get(queue) ?? follower(open, close);
    this.#followed.set(queue, known);
    return known;
  }
}

/** bullmq's options, with an id that no other job has. */
function identified(options: BullOptions): JobsOptions {
  return { ...options, jobId: options.jobId ?? randomUUID() } as JobsOptions;
}

function refOf(job: Followable): JobRef {
  return { id: String(job.id ?? ""), queue: "queueName" in job ? job.queueName : job.queue };
}
