import { type Keys, sameKeys } from "./keys.js";
import { isUniqueViolation } from "./prisma.js";

type Id = string | number;

/** What the routes need of `prisma.pushSubscription`. A model of another name fits: `{ pushSubscription: prisma.device }`. */
export interface PushSubscriptionModel {
  findUnique(args: never): PromiseLike<unknown>;
  findMany(args: never): PromiseLike<unknown>;
  create(args: never): PromiseLike<unknown>;
  updateMany(args: never): PromiseLike<unknown>;
  deleteMany(args: never): PromiseLike<unknown>;
}

/** A subscription as the page sends it. */
export interface Subscription extends Keys {
  endpoint: string;
  expirationTime: Date | null;
}

interface Row extends Keys {
  id: unknown;
  userId: unknown;
  endpoint: string;
  updatedAt: Date | null; // null: from before the app had the column
}

type Where = Record<string, unknown>;

interface Table {
  findUnique(args: { where: { endpoint: string } }): PromiseLike<Row | null>;
  findMany(args: Record<string, unknown>): PromiseLike<Pick<Row, "id" | "endpoint" | "updatedAt">[]>;
  create(args: { data: Where }): PromiseLike<unknown>;
  updateMany(args: { where: Where; data: Where }): PromiseLike<{ count: number }>;
  deleteMany(args: { where: Where }): PromiseLike<{ count: number }>;
}

const MAX_DEVICES = 20;
const ATTEMPTS = 5;

/** `taken`: the endpoint is another user's, and the keys are not those of its row. `busy`: it changes all the time. */
export type Saved = "created" | "updated" | "taken" | "busy";

export type Subscriptions = ReturnType<typeof subscriptions>;

/** The subscriptions in the app's database. Each statement is safe beside those of other requests. */
export function subscriptions(model: PushSubscriptionModel) {
  const table = model as unknown as Table;

  /** One attempt. null: another request was faster, so look again. */
  async function attempt(user: Id, given: Subscription, old: string | null): Promise<Saved | null> {
    const row = await table.findUnique({ where: { endpoint: given.endpoint } });
    if (row === null) return (await replace(table, user, given, old)) ?? insert(table, user, given);
    return claim(table, row, user, given);
  }

  return {
    async save(user: Id, given: Subscription, old: string | null): Promise<Saved> {
      for (let left = ATTEMPTS; left > 0; left--) {
        const saved = await attempt(user, given, old);
        if (saved === "taken") return saved;
        if (saved === null) continue;
        if (old !== null && old !== given.endpoint) await table.deleteMany({ where: { endpoint: old, userId: user } });
        await dropOldest(table, user);
        return saved;
      }
      return "busy";
    },

    async remove(user: Id, endpoint: string): Promise<void> {
      await table.deleteMany({ where: { endpoint, userId: user } });
    },

    async endpoints(user: Id): Promise<string[]> {
      const rows = await table.findMany({ where: { userId: user }, select: { endpoint: true } });
      return rows.map((row) => row.endpoint);
    },
  };
}

/** Give the new endpoint to the row of the old one, in one statement. null: the user has no such row. */
async function replace(table: Table, user: Id, given: Subscription, old: string | null): Promise<Saved | null> {
  if (old === null) return null;
  const { count } = await unlessTaken(table.updateMany({ where: { endpoint: old, userId: user }, data: { ...given } }));
  return count > 0 ? "updated" : null;
}

async function insert(table: Table, user: Id, given: Subscription): Promise<Saved | null> {
  const taken = await unlessTaken(table.create({ data: { ...given, userId: user } }).then(() => ({ count: 1 })));
  return taken.count > 0 ? "created" : null;
}

/**
 * Another user's row moves only to who has its keys: a browser in which somebody else signs in (pushes for the first
 * user would go on: https://github.com/w3c/push-api/issues/297). An endpoint alone may have leaked.
 */
async function claim(table: Table, row: Row, user: Id, given: Subscription): Promise<Saved | null> {
  if (String(row.userId) !== String(user) && !sameKeys(row, given)) return "taken";
  const where = { id: row.id, userId: row.userId, p256dh: row.p256dh, auth: row.auth }; // unchanged since it was read
  const { count } = await table.updateMany({ where, data: { ...given, userId: user } });
  return count > 0 ? "updated" : null;
}

/**
 * The oldest are those without a moment, then those that no browser has sent for the longest time. One that is sent
 * meanwhile stays, so requests at once leave as many as one does.
 */
async function dropOldest(table: Table, user: Id): Promise<void> {
  const rows = await table.findMany({
    where: { userId: user },
    orderBy: [{ updatedAt: "desc" }, { id: "desc" }],
    select: { id: true, updatedAt: true },
  });
  const undated = rows.filter((row) => row.updatedAt === null); // first in PostgreSQL, last in others
  const dated = rows.filter((row) => row.updatedAt !== null);
  const oldDated = dated.slice(MAX_DEVICES);
  const oldUndated = undated.slice(Math.max(MAX_DEVICES - dated.length, 0));
  if (oldDated[0]?.updatedAt) {
    const later = new Date(oldDated[0].updatedAt.getTime() + 1); // a column may have microseconds, which a Date has not
    await drop(table, user, oldDated, { lt: later });
  }
  if (oldUndated.length > 0) await drop(table, user, oldUndated, null);
}

async function drop(table: Table, user: Id, rows: Pick<Row, "id">[], updatedAt: unknown): Promise<void> {
  await table.deleteMany({ where: { userId: user, id: { in: rows.map((row) => row.id) }, updatedAt } });
}

async function unlessTaken(statement: PromiseLike<{ count: number }>): Promise<{ count: number }> {
  try {
    return await statement;
  } catch (error) {
    if (isUniqueViolation(error)) return { count: 0 };
    throw error;
  }
}
