import { preferenceRoutes } from "pushmill/next";
import { prisma } from "@/lib/prisma";
import { userId } from "@/lib/user-id";

export const { GET, PATCH } = preferenceRoutes({ prisma, userId });
