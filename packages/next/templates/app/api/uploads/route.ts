import { uploadRoutes } from "pushmill/next";
import { prisma } from "@/lib/prisma";
import { queues } from "@/lib/pushmill";
import { userId } from "@/lib/user-id";

export const { POST, PUT } = uploadRoutes({ prisma, queues, userId });
