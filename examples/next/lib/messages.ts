import { prisma } from "./prisma";

const SHOWN = 100; // messages of a chat

/** The last messages between two users, the oldest first. */
export async function conversation(a: string, b: string) {
  const where = {
    OR: [
      { fromId: a, toId: b },
      { fromId: b, toId: a },
    ],
  };
  const rows = await prisma.message.findMany({
    where,
    include: { file: true },
    orderBy: { createdAt: "desc" },
    take: SHOWN,
  });
  return rows.reverse();
}

export type ChatMessage = Awaited<ReturnType<typeof conversation>>[number];

/** Everybody else with the last message to or from them; the newest first. */
export async function people(userId: string) {
  const last = { orderBy: { createdAt: "desc" }, take: 1, include: { file: true } } as const;
  const users = await prisma.user.findMany({
    where: { id: { not: userId } },
    include: { sent: { ...last, where: { toId: userId } }, received: { ...last, where: { fromId: userId } } },
    orderBy: { name: "asc" },
  });
  return users
    .map(({ sent, received, ...user }) => ({ ...user, last: newest([...sent, ...received]) }))
    .sort((one, other) => time(other.last) - time(one.last));
}

type Dated = { createdAt: Date };
const time = (message: Dated | undefined) => message?.createdAt.getTime() ?? 0;
const newest = <T extends Dated>(messages: T[]) => messages.sort((one, other) => time(other) - time(one))[0];
