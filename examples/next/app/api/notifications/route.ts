import { notificationRoutes } from "pushmill/next";
import { prisma } from "@/lib/prisma";
import { queues } from "@/lib/pushmill";
import { sessionUserId } from "@/lib/session";

/** What the user was told in the app: the rows, and live messages as server-sent events. */
export const { GET, PATCH } = notificationRoutes({ prisma, userId: sessionUserId, source: queues });
