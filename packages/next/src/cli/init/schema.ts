// What `init` has to know of a Prisma schema. It reads the text: Prisma's own parser is the app's, in many versions.

export interface Model {
  name: string;
  /** Field name -> the rest of its line. */
  fields: ReadonlyMap<string, string>;
  /** Lines that begin with `@@`. */
  attributes: string[];
}

const COMMENT = /("(?:\\.|[^"\\\n])*")|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
const BLOCK = /^[ \t]*(\w+)[ \t]+(\w+)[ \t]*\{[ \t]*\n([\s\S]*?)^[ \t]*\}/gm;

interface Block {
  kind: string;
  name: string;
  lines: string[];
}

function blocks(schema: string): Block[] {
  const plain = schema.replaceAll("\r\n", "\n").replace(COMMENT, "$1");
  return [...plain.matchAll(BLOCK)].map(([, kind = "", name = "", body = ""]) => {
    const lines = body.split("\n").map((line) => line.trim());
    return { kind, name, lines: lines.filter((line) => line !== "") };
  });
}

/** The models of a schema, and its views, which are written like them. */
export function models(schema: string): Model[] {
  return blocks(schema)
    .filter(({ kind }) => kind === "model" || kind === "view")
    .map(({ name, lines }) => ({
      name,
      fields: new Map(lines.filter((line) => !line.startsWith("@@")).map(split)),
      attributes: lines.filter((line) => line.startsWith("@@")),
    }));
}

/** The table of a model: its own name, unless `@@map` gives another. */
export function tableOf({ name, attributes }: Model): string {
  return mapped(attributes.find((line) => line.startsWith("@@map(")) ?? "") ?? name;
}

/** The name in `@map("name")` or `@@map(name: "name")`. */
export function mapped(text: string): string | null {
  return /@map\(\s*(?:name:\s*)?"([^"]+)"/.exec(text)?.[1] ?? null;
}

function split(line: string): [string, string] {
  const [name = "", ...rest] = line.split(/\s+/);
  return [name, rest.join(" ")];
}

/** The text value of a setting in the first block of that kind: `provider` of `datasource`, `output` of `generator`. */
export function setting(schema: string, kind: "datasource" | "generator", name: string): string | null {
  const lines = blocks(schema).find((block) => block.kind === kind)?.lines ?? [];
  const found = lines.map((line) => /^(\w+)\s*=\s*"(.*)"$/.exec(line)).find((match) => match?.[1] === name);
  return found?.[2] ?? null;
}

/** Columns without which the worker does not serve a table, by the name of our model. */
export const REQUIRED: Record<string, readonly string[]> = {
  PushSubscription: ["id", "userId", "endpoint", "p256dh", "auth"],
  File: ["id", "compressedUrl", "thumbnailUrl", "processed"],
  Notification: ["id", "userId", "title", "body", "readAt"],
  NotificationPreference: ["userId"],
};
// The same of the package's routes, and with @default in our models.
const BY_ROUTES: Record<string, readonly string[]> = {
  Notification: ["createdAt"],
  NotificationPreference: ["channel", "type", "enabled", "quietFrom", "quietTo", "timeZone"],
};

/** What an app's own model lacks of ours: fields that every row needs, and those that are used if they are there. */
export function lacks(own: Model, ours: Model): { needed: string[]; useful: string[] } {
  const missing = [...ours.fields].filter(([name]) => !own.fields.has(name));
  const required = [...(REQUIRED[ours.name] ?? []), ...(BY_ROUTES[ours.name] ?? [])];
  const needed = missing.filter(
    ([name, rest]) =>
      required.includes(name) || (!rest.split(" ")[0]?.endsWith("?") && !/@(default|updatedAt)\b/.test(rest)),
  );
  const useful = missing.filter((field) => !needed.includes(field));
  return { needed: needed.map(([name]) => name), useful: useful.map(([name]) => name) };
}

/** The text of one model in our file, with the comment above it. Throws if there is none. */
export function textOfModel(file: string, name: string): string {
  const found = new RegExp(`(^///[^\\n]*\\n)*^model ${name} \\{\\n[\\s\\S]*?^\\}\\n`, "m").exec(file);
  if (!found) throw new Error(`there is no model ${name}`);
  return found[0];
}
