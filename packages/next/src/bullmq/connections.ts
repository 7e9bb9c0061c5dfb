import { FlowProducer, Queue, QueueEvents } from "bullmq";
import { type Connection, checkedConnection, ofListener, ofProducer } from "./connection.js";
import { type Follow, follower } from "./follow.js";
import { closed, isClosed, line, type Opened, within } from "./patience.js";

export interface ConnectionsOptions {
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
}

const TIMEOUT = 5000;
const PRODUCER = "flow producer";

/**
 * The connections of a QueueService: one for each queue, one for flows, and one for each queue that is followed. Each is
 * opened with its first call, and anew after it could not be used. All calls throw RedisError.
 */
export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #opened = new Map<string, Opened>();
  readonly #followed = new Map<string, Follow>();
  #lastError: string | undefined;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
  }

  /** Calls a queue; `jobs`: how many the call adds. */
  ask<Value>(name: string, call: (queue: Queue) => Promise<Value>, jobs?: number): Promise<Value> {
    const queue = this.#open(name, () => new Queue(name, this.#settings(ofProducer)));
    return this.#within(name, queue, () => call(queue), jobs);
  }

  /** Calls the producer of flows. */
  askProducer<Value>(call: (producer: FlowProducer) => Promise<Value>, jobs: number): Promise<Value> {
    const producer = this.#open(PRODUCER, () => new FlowProducer(this.#settings(ofProducer)));
    return this.#within(PRODUCER, producer, () => call(producer), jobs);
  }

  /** Follows jobs of a queue over one connection. */
  follow(queue: string): Follow {
    const key = `events of ${queue}`;
    const open = () => this.#open(key, () => new QueueEvents(queue, this.#settings(ofListener)));
    const close = (events: QueueEvents) => this.#drop(key, events);
    const known = this.#followed.get(queue) ?? follower(open, close);
    this.#followed.set(queue, known);
    return known;
  }

  async close(): Promise<void> {
    const opened = [...this.#opened.values()];
    this.#opened.clear();
    this.#followed.clear();
    await Promise.all(opened.map((each) => closed(each, this.#timeout)));
  }

  get #timeout(): number {
    return this.#options.timeout ?? TIMEOUT;
  }

  #settings(of: typeof ofProducer) {
    const { connection, prefix } = this.#options;
    return { connection: of(checkedConnection(connection)), ...(prefix && { prefix }) };
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

  async #within<Value>(name: string, opened: Opened, call: () => Promise<Value>, jobs?: number): Promise<Value> {
    const drop = () => this.#drop(name, opened);
    return await within(opened, call, { timeout: this.#timeout, lastError: () => this.#lastError, drop, jobs });
  }
}
