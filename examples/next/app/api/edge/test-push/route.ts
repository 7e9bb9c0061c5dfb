import { createClient } from "pushmill/http";
import { env } from "@/lib/env";
import { sessionUserId } from "@/lib/session";

// Next.js calls the Edge runtime deprecated. The route runs on Node without this line, too.
export const runtime = "edge";

const DELAY = 5000; // milliseconds

/** A push to the user's own devices. Redis can't be reached from the Edge, so the job goes over HTTP. */
export async function POST(): Promise<Response> {
  const userId = await sessionUserId();
  if (!userId) return Response.json({ error: "sign in first" }, { status: 401 });
  const client = createClient({ url: env("PUSHMILL_URL"), token: env("PUSHMILL_TOKEN") });
  const payload = { title: "Mill", body: "Notifications work.", url: "/settings", icon: "/icons/192.png" };
  const { id, queue } = await client.submit("push-notification", { userId, payload }, { delay: DELAY });
  return Response.json({ id, queue }, { status: 202 });
}
