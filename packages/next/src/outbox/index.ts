import type { Jobs } from "../jobs.js";
import type { AddOptions } from "../options.js";
import type { JobName } from "../status.js";

const LONGEST = 200; // characters of a topic and of what it is about: the worker refuses more

/** What `outbox` needs of a Prisma client or transaction: its model `Outbox`. */
export interface OutboxClient {
  outbox: { create(args: never): PromiseLike<unknown> };
}

interface Model {
  create(args: { data: Record<string, unknown>; select: { id: true } }): PromiseLike<{ id: unknown }>;
}

/** Writes jobs and events into the app's outbox, as a part of the transaction `tx`. The worker brings them out. */
export function outbox(tx: OutboxClient) {
  const table = tx.outbox as unknown as Model;

  async function write(topic: string, aggregateType: string, aggregateId: string, payload: unknown): Promise<string> {
    // What JSON leaves out, such as an undefined option, Prisma would refuse.
    const data = { topic, aggregateType, aggregateId, payload: JSON.parse(JSON.stringify(payload)) };
    return String((await table.create({ data, select: { id: true } })).id);
  }

  return {
    /** Adds a job once the transaction is committed. Resolves to the id of the row. */
    add<Name extends JobName>(name: Name, data: Jobs[Name]["payload"], options: AddOptions = {}): Promise<string> {
      return write("job", "job", name, { name, data, options });
    },

    /**
     * Publishes `topic`, such as `message.created`, once the transaction is committed, and adds the jobs of its
     * bridges. `aggregateId` says what it is about; `aggregateType` is the first part of the topic unless it is given.
     * Resolves to the id of the row.
     */
    event(
      topic: string,
      aggregateId: string | number | bigint,
      payload: object = {},
      aggregateType: string = topic.split(".")[0] as string,
    ): Promise<string> {
      if (topic === "job" || topic.length > LONGEST || !/^[\w:-]+(\.[\w:-]+)*$/.test(topic)) {
        throw new TypeError(`a topic looks like message.created, and ${JSON.stringify(topic)} does not`);
      }
      const id = String(aggregateId);
      if (Math.max(aggregateType.length, id.length) > LONGEST) {
        throw new TypeError(`aggregateType and aggregateId have at most ${LONGEST} characters`);
      }
      return write(topic, aggregateType, id, payload);
    },
  };
}
