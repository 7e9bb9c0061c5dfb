import { randomUUID } from "node:crypto";
import type { Job, JobNode, JobsOptions, Queue } from "bullmq";
import { QUEUE_OF } from "../jobs.js";
import type { WaitOptions } from "../options.js";
import { type OwnQueues, queueOf } from "../queues.js";
import type { JobEvent, JobName, JobRef, JobSource, JobStatus, MessageSource, Payload, QueueName } from "../status.js";
import { type JobOf, TypedAdds } from "./adds.js";
import { type CancelOptions, markOf, passed, set } from "./cancel.js";
import { changes, result } from "./changes.js";
import { Channels, type Hear } from "./channels.js";
import { clientOf, listening } from "./client.js";
import { RedisError } from "./connection.js";
import { Connections, type ConnectionsOptions } from "./connections.js";
import { type Flow, flowJob } from "./flow.js";
import { type BullOptions, checkOptions } from "./options.js";
import { look, told } from "./status.js";

/** A job to be added. */
export type Addition = { [Name in JobName]: { name: Name; data: Payload<Name>; options?: BullOptions } }[JobName];
/** A job of bullmq, or where it is. */
export type Followable<Value = unknown> = JobRef | { id?: string | undefined; queueName: string; returnvalue: Value };

export interface QueueServiceOptions extends ConnectionsOptions {
  /** The queues of the team's own jobs: OWN_QUEUES of the file that `scripts.typescript_types` prints. */
  queues?: OwnQueues;
}

const DEAD = "dead";
const ANY = "push-notifications"; // whose connection serves what is of no queue

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
  readonly #connections: Connections;
  readonly #channels = new Channels();

  constructor(options: QueueServiceOptions) {
    super();
    this.#options = options;
    this.#queues = new Set(Object.values({ ...QUEUE_OF, ...options.queues }));
    this.#connections = new Connections(options);
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
    return await this.#connections.askProducer((producer) => producer.add(job), 1 + (job.children?.length ?? 0));
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
    yield* changes(ref, this.#connections.follow(ref.queue)(ref.id), () => this.status<Value>(ref), signal);
  }

  /** Waits for a job's result. Rejects with JobFailedError if it failed or was removed, and with a TimeoutError. */
  async wait<Value = unknown>(job: Followable<Value>, options: WaitOptions = {}): Promise<Value> {
    const ref = refOf(job);
    return await result(ref.id, (signal) => this.events<Value>(ref, { signal }), options);
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
    this.#channels.close();
    await this.#connections.close();
  }

  #queueOf(name: string): string {
    return queueOf(name, this.#options.queues);
  }

  #knows(queue: string): boolean {
    return queue === DEAD || this.#queues.has(queue);
  }

  #ask<Value>(name: string, call: (queue: Queue) => Promise<Value>, jobs?: number): Promise<Value> {
    return this.#connections.ask(name, call, jobs);
  }
}

/** bullmq's options, with an id that no other job has. */
function identified(options: BullOptions): JobsOptions {
  return { ...options, jobId: options.jobId ?? randomUUID() } as JobsOptions;
}

function refOf(job: Followable): JobRef {
  return { id: String(job.id ?? ""), queue: "queueName" in job ? job.queueName : job.queue };
}
