import { isUniqueViolation } from "./prisma.js";

type Id = string | number;

/** What the routes need of `prisma.notificationPreference`. */
export interface PreferenceModel {
  findMany(args: never): PromiseLike<unknown>;
  count(args: never): PromiseLike<unknown>;
  create(args: never): PromiseLike<unknown>;
  updateMany(args: never): PromiseLike<unknown>;
  deleteMany(args: never): PromiseLike<unknown>;
}

/** Which messages a row is about; `*` is all of them. */
export interface About {
  channel: "push" | "email" | "in-app" | "*";
  /** What the app calls a kind of message. */
  type: string;
}

/** What a row says of them. */
export interface Choice {
  /** null: a row that is for more messages decides; if there is none, they are wanted. */
  enabled: boolean | null;
  /** Both ends as HH:MM, or null: this row has no quiet hours. */
  quietFrom: string | null;
  quietTo: string | null;
  /** As `Intl.DateTimeFormat().resolvedOptions().timeZone` has it. */
  timeZone: string | null;
}

/** A row, as a page gets it. */
export interface Preference extends About, Choice {}

interface Where extends About {
  userId: Id;
}

interface Table {
  findMany(args: Record<string, unknown>): PromiseLike<Preference[]>;
  count(args: { where: { userId: Id } }): PromiseLike<number>;
  create(args: { data: Where & Partial<Choice> }): PromiseLike<unknown>;
  updateMany(args: { where: Where; data: Partial<Choice> }): PromiseLike<{ count: number }>;
  deleteMany(args: { where: Where }): PromiseLike<unknown>;
}

const MAX_ROWS = 100;

/** What users want, in the app's database. Each statement is safe beside those of other requests. */
export function preferenceTable(model: PreferenceModel) {
  const table = model as unknown as Table;

  return {
    async list(userId: Id): Promise<Preference[]> {
      const orderBy = [{ channel: "asc" }, { type: "asc" }];
      return (await table.findMany({ where: { userId }, orderBy, take: MAX_ROWS })).map(shown);
    },

    /** Changes the user's row, or adds one. False: the user has too many. */
    async save(userId: Id, about: About, choice: Partial<Choice>): Promise<boolean> {
      const where = { userId, ...about };
      const change = async () => (await table.updateMany({ where, data: choice })).count > 0;
      if (await change()) return true;
      if (!(await created(table, { ...where, ...choice }))) return change(); // another request was faster
      if ((await table.count({ where: { userId } })) <= MAX_ROWS) return true;
      await table.deleteMany({ where });
      return false;
    },
  };
}

async function created(table: Table, data: Where & Partial<Choice>): Promise<boolean> {
  try {
    await table.create({ data });
    return true;
  } catch (error) {
    if (isUniqueViolation(error)) return false;
    throw error;
  }
}

function shown({ channel, type, enabled, quietFrom, quietTo, timeZone }: Preference): Preference {
  return { channel, type, enabled, quietFrom, quietTo, timeZone };
}
