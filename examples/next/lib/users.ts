import { redirect } from "next/navigation";
import { cache } from "react";
import { prisma } from "./prisma";
import { sessionUserId } from "./session";

/** The row of the user who is signed in; null: nobody is. */
export const currentUser = cache(async () => {
  const id = await sessionUserId();
  return id ? prisma.user.findUnique({ where: { id } }) : null;
});

/** The same, for pages: without a session they lead to the sign-in. */
export async function requireUser() {
  return (await currentUser()) ?? redirect("/sign-in");
}

/** Whether this user may open the dashboard of the queues: the names are in ADMINS. */
export function isAdmin(user: { name: string } | null): boolean {
  const admins = (process.env.ADMINS ?? "").split(",").map((name) => name.trim());
  return user !== null && admins.includes(user.name);
}
