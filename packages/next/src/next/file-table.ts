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
  findUnique(args: { where: { key: string } }): PromiseLike<{ id: unknown } | null>;
  create(args: { data: NewFile }): PromiseLike<{ id: unknown }>;
}

interface Found {
  ref: { fileId: string | number };
  isNew: boolean;
}

/** The row of an upload. It is made once: `key` is unique, so of two requests at once one finds the other's row. */
export async function fileOf(model: FileModel, file: NewFile): Promise<Found> {
  const table = model as unknown as Table;
  const find = () => table.findUnique({ where: { key: file.key } });
  const found = await find();
  if (found) return { ref: refOf(found), isNew: false };
  try {
    return { ref: refOf(await table.create({ data: file })), isNew: true };
  } catch (error) {
    const other = isUniqueViolation(error) ? await find() : null;
    if (!other) throw error;
    return { ref: refOf(other), isNew: false };
  }
}

function refOf({ id }: { id: unknown }): { fileId: string | number } {
  return { fileId: typeof id === "number" ? id : String(id) };
}
