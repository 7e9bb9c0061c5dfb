import type { User } from "@/generated/prisma/client";
import { preview } from "./preview";
import { queues } from "./pushmill";

type Sent = { fromId: string; toId: string; text: string; file: { kind: string } | null };

/** Pushes a message to all devices of its receiver. */
export async function notify(from: User, message: Sent): Promise<void> {
  await queues.addPushNotification({
    userId: message.toId,
    payload: {
      title: from.name,
      body: preview(message),
      url: `/chat/${from.id}`,
      icon: from.image ?? "/icons/192.png",
      tag: `chat-${from.id}`, // a newer message replaces the notification
    },
    options: { ttl: 24 * 3600, type: "message" }, // with urgency: "high" it would pass quiet hours
  });
}
