import { findSchema } from "../init/prisma.js";
import { type Model, models } from "../init/schema.js";
import { type Finding, ok, unknown, wrong } from "./finding.js";
import type { Folder } from "./folder.js";
import { factsOf, type Worker } from "./workers.js";

const SUBSCRIPTION = ["id", "userId", "endpoint", "p256dh", "auth"];
const FILE = ["id", "compressedUrl", "thumbnailUrl", "processed"];
// Columns that the worker reads from JSON, if PUSH_SUBSCRIPTION_COLUMNS names a column for that.
const WITHIN: Record<string, string[]> = {
  keys: ["p256dh", "auth"],
  subscription: ["endpoint", "p256dh", "auth"],
};

interface Table {
  name: string;
  columns: string[];
  /** The column that must be indexed. */
  indexed?: string | undefined;
}

/** Whether the Prisma schema has the tables, columns and the index that the worker wants (docs/next.js.md). */
export function prismaFindings(app: Folder, workers: readonly Worker[]): Finding[] {
  const schema = findSchema(app);
  if (schema === null) return [unknown("Prisma", "there is no schema: compare the tables with docs/next.js.md")];
  const known = models(schema.text);
  return wanted(app, workers).map((table) => {
    const model = known.find((each) => tableOf(each) === table.name);
    if (!model)
      return wrong("Prisma", `no model of ${schema.path} has the table ${table.name}: npx pushmill init adds it`);
    const faults = faultsOf(model, table);
    return faults.length > 0
      ? wrong("Prisma", `model ${model.name}: ${faults.join("; ")}`)
      : ok("Prisma", `model ${model.name} has what the worker needs`);
  });
}

/** The tables of the features that app or worker have set up. */
function wanted({ env }: Folder, workers: readonly Worker[]): Table[] {
  const told = (fact: string, variable: string) => factsOf(workers, fact).find(Boolean) ?? env.get(variable);
  const has = (fact: string, ...variables: string[]) => factsOf(workers, fact).length > 0 || variables.some(env.get);
  const tables: Table[] = [];
  if (has("vapidPublicKey", "NEXT_PUBLIC_VAPID_PUBLIC_KEY", "VAPID_PUBLIC_KEY")) {
    const renamed = renamedBy(told("subscriptionColumns", "PUSH_SUBSCRIPTION_COLUMNS") ?? "");
    tables.push({ name: told("subscriptionTable", "PUSH_SUBSCRIPTION_TABLE") ?? "PushSubscription", ...renamed });
  }
  if (has("storage", "STORAGE_URL")) {
    tables.push({ name: told("fileTable", "FILE_TABLE") ?? "File", columns: FILE });
    const avatars = told("avatarTable", "AVATAR_TABLE");
    if (avatars) tables.push({ name: avatars, columns: ["id", told("avatarColumn", "AVATAR_COLUMN") ?? "image"] });
  }
  return tables;
}

/** The columns of subscriptions, with the names that `name=column` pairs give them. */
function renamedBy(pairs: string): { columns: string[]; indexed: string } {
  const given = new Map(pairs.split(",").map((pair) => pair.split("=").map((part) => part.trim()) as [string, string]));
  const inside = Object.keys(WITHIN).filter((name) => given.has(name));
  const names = SUBSCRIPTION.filter((name) => given.has(name) || !inside.some((each) => WITHIN[each]?.includes(name)));
  const columnOf = (name: string) => given.get(name) || name;
  return { columns: [...names, ...inside].map(columnOf), indexed: columnOf("userId") };
}

function tableOf({ name, attributes }: Model): string {
  return mapped(attributes.find((line) => line.startsWith("@@map(")) ?? "") ?? name;
}

function faultsOf(model: Model, { columns, indexed }: Table): string[] {
  const fields = new Map([...model.fields].map(([name, rest]) => [mapped(rest) ?? name, name]));
  const missing = columns.filter((column) => !fields.has(column));
  const faults = missing.length > 0 ? [`it lacks ${missing.join(", ")}`] : [];
  const field = indexed === undefined ? undefined : fields.get(indexed);
  if (field && !isIndexed(model, field))
    faults.push(`it needs @@index([${field}]): without it each push reads all rows`);
  return faults;
}

/** The name in `@map("name")` or `@@map(name: "name")`. */
function mapped(text: string): string | null {
  return /@map\(\s*(?:name:\s*)?"([^"]+)"/.exec(text)?.[1] ?? null;
}

function isIndexed({ fields, attributes }: Model, field: string): boolean {
  const first = new RegExp(`^@@(index|unique|id)\\(\\s*(fields:\\s*)?\\[\\s*${field}\\b`);
  return attributes.some((line) => first.test(line)) || /@(unique|id)\b/.test(fields.get(field) ?? "");
}
