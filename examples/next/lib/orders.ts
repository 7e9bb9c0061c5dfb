import { prisma } from "./prisma";

const SHOWN = 50; // orders of a page; an export has all of them

/** What the shop has: names, and prices in euros. */
export const GOODS = [
  ["Rye flour, 5 kg", 9.9],
  ["Spelt flour, 2.5 kg", 7.45],
  ["Rolled oats, 1 kg", 3.2],
  ["Millstone, 60 cm", 480],
] as const;

/** The newest orders of a user, and how many there are. */
export async function ordersOf(userId: string) {
  const where = { userId };
  const [orders, count] = await Promise.all([
    prisma.order.findMany({ where, orderBy: { createdAt: "desc" }, take: SHOWN }),
    prisma.order.count({ where }),
  ]);
  return { orders, count };
}
