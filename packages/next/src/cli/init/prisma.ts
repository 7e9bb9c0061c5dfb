import { existsSync, readdirSync, statSync } from "node:fs";
import { join, posix } from "node:path";
import { CliError } from "../command.js";
import { type App, majorOf } from "./app.js";
import { appended } from "./changes.js";
import { nothing, type Part } from "./part.js";
import { lacks, type Model, models, setting, tableOf, textOfModel } from "./schema.js";
import { fromTemplate, type Stand, shipped } from "./templates.js";

export interface Prisma extends Part {
  /** Where the app's PrismaClient is. */
  client: Stand;
  /** Whether the app had no schema. */
  isNew: boolean;
  /** The tables of the app's own models, by the model's name. */
  tables: ReadonlyMap<string, string>;
}

interface Schema {
  /** The text of all its files. */
  text: string;
  /** The file that takes our models, and its text; null: there is none yet. */
  path: string;
  before: string | null;
}

const PRISMA = "prisma"; // the folder of the schema, which its output is relative to
const OLD_CLIENT = "prisma-client-js"; // Prisma 6 and older make it in node_modules
const FIRST_WITH_ADAPTERS = 7; // a client of Prisma 7 connects only through an adapter
const ADAPTERS: Record<string, string> = { sqlite: "@prisma/adapter-libsql", postgresql: "@prisma/adapter-pg" };

/** The models that `names` are called, in the app's schema or in a new one; and the app's client. */
export function prismaOf(app: App, names: string[]): Prisma {
  const schema = findSchema(app);
  if (schema === null) return newPrisma(app, names);
  const provider = providerOf(schema);
  const client = findClient(app);
  const added = client ? nothing() : newClient(app, schema.text, provider);
  const { changes, byHand } = modelsIn(schema, names);
  return {
    ...added,
    changes: [...changes, ...added.changes],
    byHand: [...byHand, ...added.byHand],
    client: client ?? ownClient(app),
    isNew: false,
    tables: new Map(models(schema.text).map((model) => [model.name, tableOf(model)])),
  };
}

const ownClient = (app: App): Stand => ({ path: `${app.source}lib/prisma.ts`, words: "{ prisma }" });

/** Prisma from nothing, on SQLite: a file, so that there is no server to start. */
function newPrisma(app: App, names: string[]): Prisma {
  const ours = names.map((name) => textOfModel(shipped("models.prisma"), name));
  const head = shipped("templates/prisma/schema.prisma").replace("../generated", `../${app.source}generated`);
  const schema = { path: "prisma/schema.prisma", before: null, after: [head, ...ours].join("\n") };
  const { changes, byHand } = generating(app);
  return {
    changes: [
      schema,
      ...changes,
      ...fromTemplate(app, "prisma.config.ts", "prisma.config.ts"),
      ...fromTemplate(app, "lib/prisma.ts", ownClient(app).path),
    ],
    byHand,
    // prisma is no development dependency: platforms that leave those out run "postinstall", too.
    packages: ["@prisma/client", "@prisma/adapter-libsql", "prisma"],
    ignored: [`${app.source}generated`, "dev.db"],
    client: ownClient(app),
    isNew: true,
    tables: new Map(),
  };
}

/** The client is generated code: each `npm install` makes it, so that a fresh clone and a deploy have it. */
function generating(app: App): Part {
  const before = app.read("package.json") ?? "";
  if (before.includes("prisma generate")) return nothing();
  const scripts = /("scripts": \{)(\r?\n)([ \t]+)/;
  if (before.includes('"postinstall"') || !scripts.test(before)) {
    return { ...nothing(), byHand: ['package.json: let the script "postinstall" run prisma generate'] };
  }
  const after = before.replace(scripts, '$1$2$3"postinstall": "prisma generate",$2$3');
  return { ...nothing(), changes: [{ path: "package.json", before, after }] };
}

function providerOf({ text, path }: Schema): string {
  const provider = (setting(text, "datasource", "provider") ?? "").replace(/^postgres$/, "postgresql");
  if (provider in ADAPTERS) return provider;
  throw new CliError(`the provider of ${path} is ${provider || "not named"}: the worker reads postgresql and sqlite`);
}

/** Adds the models that the schema lacks. A model of the same name is the app's: what it lacks is only said. */
function modelsIn(schema: Schema, names: string[]): Part {
  const theirs = models(schema.text);
  const own = new Map(theirs.map((model) => [model.name, model]));
  const userId = idTypeOf(own.get("User"));
  const text = shipped("models.prisma");
  const added = names.filter((name) => !own.has(name)).map((name) => textOfModel(text, name));
  const typed = added.map((model) => (userId === "Int" ? model.replace(/^( {2}userId +)String/m, "$1Int   ") : model));
  const after = appended(schema.before ?? "", typed.join("\n"));
  const changes = typed.length > 0 ? [{ path: schema.path, before: schema.before, after }] : [];
  const byHand = models(text).flatMap((ours) => {
    const model = names.includes(ours.name) ? own.get(ours.name) : undefined;
    return model ? faults(model, ours, schema.path) : [];
  });
  if (userId === "Int") byHand.push("User.id is Int: let userId in lib/user-id.ts return a number");
  return { ...nothing(), changes, byHand };
}

function idTypeOf(user: Model | undefined): string | undefined {
  return user?.fields.get("id")?.split(" ")[0];
}

function faults(own: Model, ours: Model, path: string): string[] {
  const { needed, useful } = lacks(own, ours);
  const said: string[] = [];
  const where = `model ${own.name} (${path})`;
  if (needed.length > 0) said.push(`${where} is kept; it needs ${needed.join(", ")}`);
  if (useful.length > 0) said.push(`${where} is kept; ${useful.join(", ")} would be used if they were there`);
  if (ours.fields.get("endpoint")?.includes("@unique") && !isUnique(own, "endpoint")) {
    said.push(`${where} is kept; its endpoint needs @unique`);
  }
  if (!own.attributes.some((line) => /^@@(index|unique|id)\(\[userId\b/.test(line))) {
    said.push(`${where} is kept; it needs @@index([userId])`);
  }
  return said;
}

function isUnique({ fields, attributes }: Model, name: string): boolean {
  const own = /@(unique|id)\b/.test(fields.get(name) ?? "");
  return own || attributes.some((line) => new RegExp(`^@@(unique|id)\\(\\[${name}\\]`).test(line));
}

/** Where Prisma itself looks, in its order: its settings, then the usual places. */
/** The app's schema, of one file or several; null: it has none. Throws CliError if its settings name one that is not there. */
export function findSchema(app: Pick<App, "folder" | "read">): Schema | null {
  const config = /\bschema:\s*(?:path\.join\(\s*)?["'`]([^"'`]+)["'`](?:,\s*["'`]([^"'`]+)["'`])?/.exec(
    app.read("prisma.config.ts") ?? app.read(".config/prisma.ts") ?? "",
  );
  const { prisma } = JSON.parse(app.read("package.json") ?? "{}") as { prisma?: { schema?: string } };
  const named = config ? [config[1], config[2]].filter(Boolean).join("/") : prisma?.schema;
  const places = named ? [named.replace(/^\.\//, "")] : ["prisma/schema.prisma", "schema.prisma", "prisma/schema"];
  const place = places.find((path) => existsSync(join(app.folder, path)));
  if (place === undefined) {
    if (named) throw new CliError(`Prisma's settings name the schema ${named}, which is not there`);
    return null;
  }
  return statSync(join(app.folder, place)).isDirectory() ? folderOf(app, place) : fileOf(app, place);
}

function fileOf(app: Pick<App, "read">, path: string): Schema {
  const text = app.read(path) ?? "";
  return { text, path, before: text };
}

/** A schema in several files: our models get a file of their own. */
function folderOf(app: Pick<App, "folder" | "read">, folder: string): Schema {
  const names = readdirSync(join(app.folder, folder), { recursive: true, encoding: "utf8" });
  const files = names.filter((name) => name.endsWith(".prisma")).map((name) => app.read(`${folder}/${name}`) ?? "");
  const path = `${folder}/pushmill.prisma`;
  return { text: files.join("\n"), path, before: app.read(path) };
}

const PLACES = ["lib", "server", "utils", "db", "prisma", "lib/db", "server/db", ""];
const FILES = ["prisma.ts", "db.ts", "client.ts", "index.ts", "prisma-client.ts", "prismaClient.ts", "database.ts"];
const EXPORTED = /^export (?:const|let) (\w+)\b.*?(?:=|:)/gm;

/** The app's module that makes a PrismaClient, and the name under which it exports it. */
function findClient(app: App): Stand | null {
  const folders = app.source ? PLACES.flatMap((place) => [`${app.source}${place}`, place]) : PLACES;
  for (const path of folders.flatMap((folder) => FILES.map((file) => [folder, file].filter(Boolean).join("/")))) {
    const text = app.read(path.replace("//", "/"));
    const words = text?.includes("PrismaClient") ? exportedAs(text) : null;
    if (words) return { path: path.replace("//", "/"), words };
  }
  return null;
}

function exportedAs(text: string): string | null {
  const names = [...text.matchAll(EXPORTED)].map((match) => match[1] ?? "");
  const listed = /^export \{ (\w+)(?: as (\w+))? \}/m.exec(text);
  if (listed) names.push(listed[2] ?? listed[1] ?? "");
  const name = names.find((each) => /^(prisma|db|database|client|prismaClient)$/i.test(each));
  if (name && name !== "default") return name === "prisma" ? "{ prisma }" : `{ ${name} as prisma }`;
  return /^export default (\w+)/m.test(text) ? "prisma" : null;
}

/** A client for an app that has a schema and none yet. */
function newClient(app: App, schema: string, provider: string): Part {
  const generator = setting(schema, "generator", "provider");
  const version = majorOf(app.packages.get("prisma") ?? app.packages.get("@prisma/client"));
  const { path } = ownClient(app);
  if (generator === OLD_CLIENT && (version ?? FIRST_WITH_ADAPTERS) < FIRST_WITH_ADAPTERS) {
    return { ...nothing(), changes: fromTemplate(app, "variants/prisma.6.ts", path), packages: ["@prisma/client"] };
  }
  const template = provider === "sqlite" ? "lib/prisma.ts" : "variants/prisma.postgresql.ts";
  const output = generator === OLD_CLIENT ? null : setting(schema, "generator", "output");
  const generated = {
    path: output ? posix.join(PRISMA, output, "client") : "@prisma/client",
    words: "{ PrismaClient }",
  };
  return {
    ...nothing(),
    changes: fromTemplate(app, template, path, { "generated/prisma/client": generated }),
    packages: ["@prisma/client", ADAPTERS[provider] ?? ""],
  };
}
