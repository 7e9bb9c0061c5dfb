// The session is a signed cookie: user and end. It works on the Edge, too. Put your own sign-in here: the app asks
// nothing else than `sessionUserId`.
import { cookies, headers } from "next/headers";
import { env } from "./env";

const COOKIE = "session";
const LIFETIME = 30 * 24 * 3600; // seconds

/** The id of the user who is signed in; null: nobody is. */
export async function sessionUserId(): Promise<string | null> {
  const [userId, end, signature] = (await cookies()).get(COOKIE)?.value.split(".") ?? [];
  if (!userId || !end || !signature || Number(end) * 1000 < Date.now()) return null;
  const known = await crypto.subtle.verify("HMAC", await key(), fromHex(signature), bytes(`${userId}.${end}`));
  return known ? userId : null;
}

export async function startSession(userId: string): Promise<void> {
  const content = `${userId}.${Math.floor(Date.now() / 1000) + LIFETIME}`;
  const signature = await crypto.subtle.sign("HMAC", await key(), bytes(content));
  const secure = (await headers()).get("x-forwarded-proto") === "https";
  const options = { httpOnly: true, sameSite: "lax", secure, path: "/", maxAge: LIFETIME } as const;
  (await cookies()).set(COOKIE, `${content}.${toHex(signature)}`, options);
}

export async function endSession(): Promise<void> {
  (await cookies()).delete(COOKIE);
}

const key = () =>
  crypto.subtle.importKey("raw", bytes(env("SESSION_SECRET")), { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
    "verify",
  ]);

const bytes = (text: string) => new TextEncoder().encode(text);
const toHex = (buffer: ArrayBuffer) => [...new Uint8Array(buffer)].map((b) => b.toString(16).padStart(2, "0")).join("");
const fromHex = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
