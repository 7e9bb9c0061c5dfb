import { PrismaPg } from "@prisma/adapter-pg";
import { PrismaClient } from "@/generated/prisma/client";

const kept = globalThis as unknown as { prisma?: PrismaClient }; // hot reloads of `next dev` keep it

function connect(): PrismaClient {
  return new PrismaClient({ adapter: new PrismaPg({ connectionString: process.env.DATABASE_URL ?? "" }) });
}

kept.prisma ??= connect();
export const prisma = kept.prisma;
