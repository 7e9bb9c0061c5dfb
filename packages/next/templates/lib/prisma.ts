import { PrismaLibSql } from "@prisma/adapter-libsql";
import { PrismaClient } from "@/generated/prisma/client";

const kept = globalThis as unknown as { prisma?: PrismaClient }; // hot reloads of `next dev` keep it

function connect(): PrismaClient {
  return new PrismaClient({ adapter: new PrismaLibSql({ url: process.env.DATABASE_URL ?? "file:./dev.db" }) });
}

kept.prisma ??= connect();
export const prisma = kept.prisma;
