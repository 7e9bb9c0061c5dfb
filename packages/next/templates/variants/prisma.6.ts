import { PrismaClient } from "@prisma/client";

const kept = globalThis as unknown as { prisma?: PrismaClient }; // hot reloads of `next dev` keep it

kept.prisma ??= new PrismaClient();
export const prisma = kept.prisma;
