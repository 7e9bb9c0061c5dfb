import { PrismaLibSql } from "@prisma/adapter-libsql";
import { PrismaPg } from "@prisma/adapter-pg";
import { PrismaClient } from "@/generated/prisma/client";

const url = process.env.DATABASE_URL ?? "file:./dev.db";

function connect(): PrismaClient {
  // Milliseconds: libSQL does not wait for the worker's writes otherwise, and the app's own would fail.
  const adapter = url.startsWith("file:")
    ? new PrismaLibSql({ url, timeout: 5000 })
    : new PrismaPg({ connectionString: url });
  return new PrismaClient({ adapter });
}

const kept = globalThis as unknown as { prisma?: PrismaClient };

/** One client, which hot reloads of `next dev` keep. It connects with the first query. */
kept.prisma ??= connect();
export const prisma = kept.prisma;
