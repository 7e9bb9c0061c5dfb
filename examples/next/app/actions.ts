"use server";

import { revalidatePath } from "next/cache";
import { redirect } from "next/navigation";
import { after } from "next/server";
import type { JobRef } from "pushmill";
import { outbox } from "pushmill/outbox";
import { notify } from "@/lib/notify";
import { GOODS } from "@/lib/orders";
import { prisma } from "@/lib/prisma";
import { queues } from "@/lib/pushmill";
import { endSession, startSession } from "@/lib/session";
import { requireUser } from "@/lib/users";

const NAME = /^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,29}$/u;
const LONGEST = 2000; // characters of a message

/** The demo's sign-in: a name is enough. Returns what is wrong with it. */
export async function signIn(_: string | null, form: FormData): Promise<string | null> {
  const name = String(form.get("name") ?? "").trim();
  if (!NAME.test(name)) return "Letters, digits and spaces, at most 30 characters";
  const user = await prisma.user.upsert({ where: { name }, create: { name }, update: {} });
  await startSession(user.id);
  redirect("/");
}

export async function signOut(): Promise<void> {
  await endSession();
  redirect("/sign-in");
}

/** Adds the job of a notification to the user. Returns what to say of it. */
export async function tellMe(): Promise<string> {
  const { id: userId } = await requireUser();
  const words = { title: "The bell works", body: "The worker wrote this, and told your open pages.", url: "/settings" };
  await queues.notify({ userId, type: "success", ...words });
  return "The worker has the job.";
}

/** Orders something of the shop. The order and the job that tells of it are written together, or neither is. */
export async function placeOrder(): Promise<void> {
  const { id: userId } = await requireUser();
  const [item, price] = GOODS[Math.floor(Math.random() * GOODS.length)] ?? GOODS[0];
  const quantity = 1 + Math.floor(Math.random() * 5);
  const words = { title: "We have your order", body: `${quantity} × ${item}`, url: "/orders" };
  await prisma.$transaction(async (tx) => {
    await tx.order.create({ data: { userId, item, quantity, total: (quantity * price).toFixed(2) } });
    await outbox(tx).add("user-notification", { userId, type: "success", ...words });
  });
  revalidatePath("/orders");
}

/** Adds the job that exports the user's orders. Returns where it is. */
export async function exportOrders(_: JobRef | null, form: FormData): Promise<JobRef> {
  const { id: userId } = await requireUser();
  const exportType = form.get("type") === "xlsx" ? "xlsx" : "csv";
  const columns = ["id", "createdAt", "item", "quantity", "total", "status"];
  const job = await queues.addExport({ exportType, name: "orders", userId, columns, notify: ["in-app"] });
  return { queue: job.queueName, id: String(job.id) };
}

/** Saves a message, and pushes it to the other user's devices once the page has its answer. */
export async function sendMessage(toId: string, form: FormData): Promise<void> {
  const text = String(form.get("text") ?? "").trim();
  if (text) await send(toId, { text: text.slice(0, LONGEST) });
}

/** Sends a file that the user has uploaded. */
export async function sendFile(toId: string, fileId: string, job: JobRef): Promise<void> {
  const { id: userId } = await requireUser();
  const file = await prisma.file.findFirstOrThrow({ where: { id: String(fileId), userId } });
  await send(toId, { fileId: file.id, job: `${job.queue}/${job.id}`.slice(0, LONGEST) });
}

/** A server action is open to any request: what it is given is checked here, or by the database. */
async function send(toId: string, content: { text: string } | { fileId: string; job: string }): Promise<void> {
  const from = await requireUser();
  const message = await prisma.message.create({
    data: { fromId: from.id, toId: String(toId), ...content },
    include: { file: true },
  });
  after(() => notify(from, message));
  revalidatePath(`/chat/${toId}`);
}
