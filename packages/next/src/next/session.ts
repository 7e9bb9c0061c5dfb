import { refuse } from "./answer.js";

type Id = string | number;

/** Whose request it is, by the app's own session; null if nobody is signed in. */
export type UserId = (request: Request) => Id | null | undefined | Promise<Id | null | undefined>;

/** The user of the session. Answers 401 without one. */
export async function signedIn(request: Request, userId: UserId): Promise<Id> {
  const user = await userId(request);
  const isId = typeof user === "number" ? Number.isSafeInteger(user) : typeof user === "string" && user !== "";
  if (!isId) refuse(401, "sign in first");
  return user as Id;
}
