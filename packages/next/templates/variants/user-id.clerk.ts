import { auth } from "@clerk/nextjs/server";

// Who has sent this request: the id of the signed-in user; null: nobody, and the routes answer 401.
export async function userId(): Promise<string | null> {
  const { userId } = await auth();
  return userId;
}
