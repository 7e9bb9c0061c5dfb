import { uploadRoutes } from "pushmill/next";
import { prisma } from "@/lib/prisma";
import { queues } from "@/lib/pushmill";
import { sessionUserId } from "@/lib/session";

const MEBIBYTE = 1024 * 1024;

/** The browser uploads to the bucket itself. POST permits it; PUT makes the row and adds the job. */
export const { POST, PUT } = uploadRoutes({
  prisma,
  queues,
  userId: sessionUserId,
  maxBytes: { image: 20 * MEBIBYTE, video: 200 * MEBIBYTE, avatar: 10 * MEBIBYTE },
});
