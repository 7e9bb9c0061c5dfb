import { adminRoute } from "pushmill/next";
import { isAdmin, requireUser } from "@/lib/users";

/** The dashboard of the queues, for the app's own admins. Its token stays on the server. */
export const { GET, HEAD, POST } = adminRoute({
  url: process.env.PUSHMILL_URL,
  token: process.env.PUSHMILL_TOKEN,
  allow: async () => isAdmin(await requireUser()),
});
