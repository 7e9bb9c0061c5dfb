import { isUniqueViolation } from "./prisma.js";

/** What the routes need of `prisma.file`. */
export interface FileModel {
  findUnique(args: never): PromiseLike<unknown>;
  create(args: never): PromiseLike<unknown>;
}

/** A row to be made. */
export interface NewFile {
  userId: string | number;
  key: string;
  kind: string;
  name: string | null;
}

interface Table {
  findUnique(args: { where: { key: string } }): PromiseLike<Row | null>;
  create(args: { data: NewFile }): PromiseLike<Row>;
}

interface Row {
  id: unknown;
  status?: unknown;
}

interface Found {
  ref: { fileId: string | number };
  isNew: boolean;
  /** The worker has begun its job, or ended it. */
  isBegun: boolean;
}

/** The row of an upload. It is made once: `key` is unique, so of two requests at once one finds the other's row. */
export async function fileOf(model: FileModel, file: NewFile): Promise<Found> {
  const table = model as unknown as Table;
  const find = () => table.findUnique({ where: { key: file.key } });
  const found = await find();
  if (found) return known(found);
  try {
    return { ref: refOf(await table.create({ data: file })), isNew: true, isBegun: false };
  } catch (error) {
    const other = isUniqueViolation(error) ? await find() : null;
    if (!other) throw error;
    return known(other);
  }
}

/** The worker's words, in any case. Other ones are the app's own, and say nothing of the job. */
function known(row: Row): Found {
  return { ref: refOf(row), isNew: false, isBegun: /^(processing|processed|failed)$/i.test(String(row.status)) };
}

function refOf({ id }: Row): { fileId: string | number } {
  return { fileId: typeof id === "number" ? id : String(id) };
}
