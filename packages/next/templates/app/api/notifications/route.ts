import { notificationRoutes } from "pushmill/next";
import { prisma } from "@/lib/prisma";
import { queues } from "@/lib/pushmill";
import { userId } from "@/lib/user-id";

export const { GET, PATCH } = notificationRoutes({ prisma, userId, source: queues });
