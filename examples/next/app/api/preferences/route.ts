import { preferenceRoutes } from "pushmill/next";
import { prisma } from "@/lib/prisma";
import { sessionUserId } from "@/lib/session";

/** What the user wants to receive, and when. */
export const { GET, PATCH } = preferenceRoutes({ prisma, userId: sessionUserId });
