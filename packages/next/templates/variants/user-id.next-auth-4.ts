import { getServerSession } from "next-auth";
import { authOptions } from "@/lib/auth-options";

// Who has sent this request: the id of the signed-in user; null: nobody, and the routes answer 401.
// Sessions in a JWT have the id only if the session callback copies it: session.user.id = token.sub.
export async function userId(): Promise<string | null> {
  const session = await getServerSession(authOptions);
  const user = session?.user as { id?: string } | undefined;
  return user?.id ?? null;
}
