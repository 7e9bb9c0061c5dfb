import { getIronSession } from "iron-session";
import { cookies } from "next/headers";
import { sessionOptions } from "@/lib/session";

// Who has sent this request: the id of the signed-in user; null: nobody, and the routes answer 401.
export async function userId(): Promise<string | null> {
  const session = await getIronSession<{ userId?: string }>(await cookies(), sessionOptions);
  return session.userId ?? null;
}
