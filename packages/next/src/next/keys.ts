import { refuse } from "./answer.js";

const P256DH_BYTES = 65;
const AUTH_BYTES = 16;
const UNCOMPRESSED = 4; // the first byte of a point that is written with both coordinates
// Browsers write base64url; old libraries wrote base64.
const BASE64 = /^[A-Za-z0-9_+/-]{1,200}={0,2}$/;

/** The keys of a subscription, as base64url without padding. */
export interface Keys {
  p256dh: string;
  auth: string;
}

/** Read `subscription.keys`. Answers 422 if nothing could be encrypted with them. */
export async function readKeys(p256dh: unknown, auth: unknown): Promise<Keys> {
  const point = decode(p256dh);
  const secret = decode(auth);
  if (point === null || !(await isPoint(point))) {
    refuse(422, `subscription.keys.p256dh is not a point on the curve P-256 (${P256DH_BYTES} bytes)`);
  }
  if (secret?.length !== AUTH_BYTES) refuse(422, `subscription.keys.auth is not ${AUTH_BYTES} bytes`);
  return { p256dh: encode(point), auth: encode(secret) };
}

/** Whether both are the same keys. Takes the same time wherever they differ. */
export function sameKeys(some: Keys, others: Keys): boolean {
  return sameBytes(some.p256dh, others.p256dh) && sameBytes(some.auth, others.auth);
}

function sameBytes(some: string, others: string): boolean {
  const a = decode(some);
  const b = decode(others);
  if (a === null || b === null || a.length !== b.length) return false;
  return a.reduce((difference, byte, at) => difference | (byte ^ (b[at] ?? 0)), 0) === 0;
}

function decode(text: unknown): Uint8Array<ArrayBuffer> | null {
  if (typeof text !== "string" || !BASE64.test(text)) return null;
  try {
    const binary = atob(text.replace(/=+$/, "").replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(binary, (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}

/** Bytes as base64url without padding. */
export function encode(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");
}

async function isPoint(bytes: Uint8Array<ArrayBuffer>): Promise<boolean> {
  if (bytes.length !== P256DH_BYTES || bytes[0] !== UNCOMPRESSED) return false;
  try {
    await crypto.subtle.importKey("raw", bytes, { name: "ECDH", namedCurve: "P-256" }, false, []);
    return true;
  } catch {
    return false;
  }
}
