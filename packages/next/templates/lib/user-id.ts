// Who has sent this request: the id of the signed-in user; null: nobody, and the routes answer 401.
// The routes call it with the request.
export async function userId(): Promise<string | null> {
  // Replace this by your session. Until then everybody is one user in `next dev`, and nobody in production.
  return process.env.NODE_ENV === "development" ? "user-1" : null;
}
