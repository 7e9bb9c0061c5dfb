import { subscriptionRoutes } from "pushmill/next";
import { prisma } from "@/lib/prisma";
import { sessionUserId } from "@/lib/session";

/** The user's devices. `make example` lets them have a push service on the same machine. */
export const { GET, POST, DELETE } = subscriptionRoutes({
  prisma,
  userId: sessionUserId,
  allowLocalEndpoints: process.env.PUSH_ALLOW_LOCAL_ENDPOINTS === "1",
});
