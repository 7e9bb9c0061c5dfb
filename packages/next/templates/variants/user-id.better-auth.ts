import { auth } from "@/lib/auth";

// Who has sent this request: the id of the signed-in user; null: nobody, and the routes answer 401.
export async function userId(request: Request): Promise<string | null> {
  const session = await auth.api.getSession({ headers: request.headers });
  return session?.user.id ?? null;
}
