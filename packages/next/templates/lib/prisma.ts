import { PrismaLibSql } from "@prisma/adapter-libsql";
import { PrismaClient } from "@/generated/prisma/client";

const kept = globalThis as unknown as { prisma?: PrismaClient }; // hot reloads of `next dev` keep it

function connect(): PrismaClient {
  const url = process.env.DATABASE_URL ?? "file:./dev.db";
  // Milliseconds: libSQL does not wait for the worker's writes otherwise, and the app's own would fail.
  return new PrismaClient({ adapter: new PrismaLibSql({ url, timeout: 5000 }) });
}

kept.prisma ??= connect();
export const prisma = kept.prisma;
