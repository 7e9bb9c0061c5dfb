import { subscriptionRoutes } from "pushmill/next";
import { prisma } from "@/lib/prisma";
import { userId } from "@/lib/user-id";

export const { GET, POST, DELETE } = subscriptionRoutes({ prisma, userId });
