import { refuse } from "./answer.js";

type Id = string | number;

/** What the routes need of `prisma.notification`. */
export interface NotificationModel {
  findMany(args: never): PromiseLike<unknown>;
  count(args: never): PromiseLike<unknown>;
  updateMany(args: never): PromiseLike<unknown>;
}

interface Row extends Record<string, unknown> {
  id: unknown;
  title: unknown;
}

interface Table {
  findMany(args: Record<string, unknown>): PromiseLike<Row[]>;
  count(args: { where: Record<string, unknown> }): PromiseLike<number>;
  updateMany(args: { where: Record<string, unknown>; data: Record<string, unknown> }): PromiseLike<unknown>;
}

/** A row, as a page gets it. Fields that the app's model does not have are null. */
export interface AppNotification {
  id: Id;
  /** info, success, warning, error, or the app's own word. */
  type: string | null;
  title: string;
  body: string | null;
  url: string | null;
  metadata: unknown;
  /** Dates as ISO texts; null: not read. */
  readAt: string | null;
  createdAt: string;
}

const SHOWN = 50; // the newest ones
// Prisma's codes for a value that does not fit the column, such as a text where ids are numbers.
const UNFIT = /^P20(05|06|07|19|20|23|33)$/;

/** The notifications in the app's database. */
export function notificationTable(model: NotificationModel) {
  const table = model as unknown as Table;
  const unread = (userId: Id) => table.count({ where: { userId, readAt: null } });

  return {
    unread,

    async list(userId: Id): Promise<AppNotification[]> {
      const orderBy = [{ createdAt: "desc" }, { id: "desc" }];
      return (await table.findMany({ where: { userId }, orderBy, take: SHOWN })).map(shown);
    },

    /** Marks the user's own rows among these as read; undefined: all of them. Answers 422 for ids of another kind. */
    async read(userId: Id, ids?: Id[]): Promise<void> {
      const where = { userId, readAt: null, ...(ids && { id: { in: ids } }) };
      try {
        await table.updateMany({ where, data: { readAt: new Date() } });
      } catch (error) {
        if (isUnfit(error)) refuse(422, "ids has what is no id of a notification");
        throw error;
      }
    },
  };
}

function shown({ id, type, title, body, url, metadata, readAt, createdAt }: Row): AppNotification {
  const known = { type, body, url, metadata, readAt };
  const filled = Object.fromEntries(Object.entries(known).map(([name, value]) => [name, value ?? null]));
  return { id: typeof id === "bigint" ? Number(id) : id, title, createdAt, ...filled } as AppNotification;
}

function isUnfit(error: unknown): boolean {
  const { name, code } = Object(error);
  return name === "PrismaClientValidationError" || UNFIT.test(String(code));
}
