import { PrismaLibSql } from "@prisma/adapter-libsql";
import { PrismaPg } from "@prisma/adapter-pg";
import { PrismaClient } from "@/generated/prisma/client";

const url = process.env.DATABASE_URL ?? "file:./dev.db";

function connect(): PrismaClient {
  const adapter = url.startsWith("file:") ? new PrismaLibSql({ url }) : new PrismaPg({ connectionString: url });
  return new PrismaClient({ adapter });
}

const kept = globalThis as unknown as { prisma?: PrismaClient };

/** One client, which hot reloads of `next dev` keep. It connects with the first query. */
kept.prisma ??= connect();
export const prisma = kept.prisma;
