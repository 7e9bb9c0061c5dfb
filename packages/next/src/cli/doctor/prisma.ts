import { findSchema } from "../init/prisma.js";
import { type Model, mapped, models, tableOf } from "../init/schema.js";
import { type Finding, ok, unknown, wrong } from "./finding.js";
import type { Folder } from "./folder.js";
import { type Table, wantedTables } from "./tables.js";
import type { Worker } from "./workers.js";

/** Whether the Prisma schema has the tables, columns and indexes that the worker wants (docs/next.js.md). */
export function prismaFindings(app: Folder, workers: readonly Worker[]): Finding[] {
  const schema = findSchema(app);
  if (schema === null) return [unknown("Prisma", "there is no schema: compare the tables with docs/next.js.md")];
  const known = models(schema.text);
  return wantedTables(app, workers).map((table) => {
    const model = known.find((each) => tableOf(each) === table.name);
    if (!model) return missing(table, known, schema.path);
    const faults = faultsOf(model, table);
    return faults.length > 0
      ? wrong("Prisma", `model ${model.name}: ${faults.join("; ")}`)
      : ok("Prisma", `model ${model.name} has what the worker needs`);
  });
}

function missing({ name, ours, isFound }: Table, known: readonly Model[], path: string): Finding {
  if (isFound) return unknown("Prisma", `no model of ${path} has the table ${name}, which a worker has found: a view?`);
  const own = known.find((each) => each.name === ours?.model);
  if (own && ours) {
    const set = `set ${ours.setting}=${tableOf(own)} for the worker`;
    return wrong("Prisma", `model ${own.name} has the table ${tableOf(own)}, and the worker wants ${name}: ${set}`);
  }
  return wrong("Prisma", `no model of ${path} has the table ${name}${ours ? ": npx pushmill init adds it" : ""}`);
}

function faultsOf(model: Model, { columns, oneOf = [], indexed }: Table): string[] {
  const fields = new Map([...model.fields].map(([name, rest]) => [mapped(rest) ?? name, name]));
  const lacking = columns.filter((column) => !fields.has(column));
  const faults = lacking.length > 0 ? [`it lacks ${lacking.join(", ")}`] : [];
  if (oneOf.length > 0 && !oneOf.some((group) => group.every((column) => fields.has(column)))) {
    faults.push(`it lacks ${oneOf.map((group) => group.join(" and ")).join(", or ")}`);
  }
  const field = indexed === undefined ? undefined : fields.get(indexed);
  if (field && !isIndexed(model, field)) {
    faults.push(`it needs @@index([${field}]): without it each job reads all rows`);
  }
  return faults;
}

function isIndexed({ fields, attributes }: Model, field: string): boolean {
  const first = new RegExp(`^@@(index|unique|id)\\(\\s*(fields:\\s*)?\\[\\s*${field}\\b`);
  return attributes.some((line) => first.test(line)) || /@(unique|id)\b/.test(fields.get(field) ?? "");
}
