import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { defineConfig } from "prisma/config";

if (existsSync(".env")) process.loadEnvFile(".env");
const url = process.env.DATABASE_URL ?? "file:./dev.db";
const provider = /^postgres(ql)?:/.test(url) ? "postgres" : "sqlite";

/** Prisma takes no variable as the provider: for Postgres the schema is written again, with the other word. */
function postgresSchema(): string {
  const schema = readFileSync("prisma/schema.prisma", "utf8");
  writeFileSync("prisma/postgres.prisma", schema.replace('provider = "sqlite"', 'provider = "postgresql"'));
  return "prisma/postgres.prisma";
}

export default defineConfig({
  schema: provider === "postgres" ? postgresSchema() : "prisma/schema.prisma",
  migrations: { path: `prisma/migrations/${provider}` },
  datasource: { url },
});
