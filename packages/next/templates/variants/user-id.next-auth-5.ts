import { auth } from "@/auth";

// Who has sent this request: the id of the signed-in user; null: nobody, and the routes answer 401.
// Sessions in a JWT have the id only if the session callback copies it: session.user.id = token.sub.
export async function userId(): Promise<string | null> {
  const session = await auth();
  return session?.user?.id ?? null;
}
