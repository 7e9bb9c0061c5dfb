// node ddl.mjs PROVIDER FILE: the SQL that makes the tables of the models in FILE, on an empty database.
//
// It is what `prisma migrate diff --from-empty --script` prints: by Prisma's own schema engine, in the form that npm has.
// The engine asks its database for little, so one that answers without a server is enough.
import { readFileSync } from "node:fs";

const [provider, file] = process.argv.slice(2);
const schema = `datasource db {\n  provider = "${provider}"\n}\n${readFileSync(file, "utf8")}`;

const engine = await loadEngine();
const { stdout } = await engine.diff({
  from: { tag: "empty" },
  to: { tag: "schemaDatamodel", files: [{ path: "schema.prisma", content: schema }] },
  script: true,
  exitCode: null,
  filters: { externalTables: [], externalEnums: [] },
});
process.stdout.write(stdout);

async function loadEngine() {
  const wasm = new URL(import.meta.resolve("@prisma/schema-engine-wasm/schema_engine_bg"));
  const bindings = await import(wasm);
  const module = new WebAssembly.Module(readFileSync(new URL("schema_engine_bg.wasm", wasm)));
  const instance = new WebAssembly.Instance(module, { "./schema_engine_bg.js": bindings });
  globalThis.PRISMA_WASM_PANIC_REGISTRY = { set_message: console.error };
  bindings.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start();
  return bindings.SchemaEngine.new({ datamodels: [["schema.prisma", schema]] }, () => {}, emptyDatabase());
}

function emptyDatabase() {
  const ok = (value) => ({ ok: true, value });
  const version = { columnNames: ["exists", "version", "numeric_version"], columnTypes: [5, 7, 0] };
  const database = {
    provider: provider === "sqlite" ? "sqlite" : "postgres",
    adapterName: "none",
    errorRegistry: { consumeError: () => undefined },
    queryRaw: async () => ok({ ...version, rows: [[true, "PostgreSQL 16.0", 160000]] }),
    executeRaw: async () => ok(0),
    executeScript: async () => ok(undefined),
    dispose: async () => ok(undefined),
  };
  const connect = async () => ok(database);
  return { ...database, connect, connectToShadowDb: connect };
}
