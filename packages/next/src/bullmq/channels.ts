/** Gets each message; null: the connection is lost, and nothing more comes. */
export type Hear = (message: string | null) => void;

/** What is used of a client of ioredis that listens. */
export interface Subscriber {
  on(event: string, listener: (...told: string[]) => void): unknown;
  subscribe(channel: string): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  disconnect(): void;
}

/**
 * Hears channels of Redis over one connection, which is open while somebody listens. It does not connect again by
 * itself: what was published meanwhile would be missed without a word.
 */
export class Channels {
  readonly #heard = new Map<string, Set<Hear>>();
  #opened: Subscriber | undefined;

  /** Begins to listen; `open` makes a connection that does not connect again. */
  async listen(channel: string, hear: Hear, open: () => Subscriber): Promise<void> {
    this.#heard.set(channel, (this.#heard.get(channel) ?? new Set()).add(hear));
    this.#opened ??= this.#watched(open());
    await this.#opened.subscribe(channel);
  }

  leave(channel: string, hear: Hear): void {
    const others = this.#heard.get(channel);
    if (!others?.delete(hear) || others.size) return;
    this.#heard.delete(channel);
    if (!this.#heard.size) this.close();
    else this.#opened?.unsubscribe(channel).catch(() => {}); // a connection that is lost tells nothing anyway
  }

  /** Closes the connection; all who listen are told. */
  close(): void {
    const opened = this.#opened;
    if (!opened) return;
    this.#lost(opened);
    opened.disconnect();
  }

  #watched(client: Subscriber): Subscriber {
    client.on("error", () => {}); // the end follows, and who subscribes is refused
    client.on("message", (channel = "", message = "") => {
      for (const hear of this.#heard.get(channel) ?? []) hear(message);
    });
    client.on("end", () => this.#lost(client));
    return client;
  }

  #lost(client: Subscriber): void {
    if (this.#opened !== client) return;
    this.#opened = undefined;
    const all = [...this.#heard.values()].flatMap((each) => [...each]);
    this.#heard.clear();
    for (const hear of all) hear(null);
  }
}
