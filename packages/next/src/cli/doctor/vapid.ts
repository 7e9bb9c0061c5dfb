import { createECDH, createPrivateKey } from "node:crypto";
import { isContact } from "../contact.js";
import type { Environment } from "./environment.js";
import { type Finding, ok, unknown, wrong } from "./finding.js";
import { factsOf, type Worker } from "./workers.js";

const LENGTH = 32; // bytes of a private key
const BROWSERS = "NEXT_PUBLIC_VAPID_PUBLIC_KEY";

/** Whether the key that browsers subscribe with is the one that the worker signs with. */
export function vapidFindings(env: Environment, workers: readonly Worker[]): Finding[] {
  const [browsers, own, secret] = [BROWSERS, "VAPID_PUBLIC_KEY", "VAPID_PRIVATE_KEY"].map(env.get);
  const theirs = factsOf(workers, "vapidPublicKey");
  if (!browsers && !own && !secret && theirs.length === 0) return [unknown("VAPID keys", "web push is not set up")];
  const used = browsers ?? own;
  if (!used) return [wrong("VAPID keys", `${BROWSERS} is not set: browsers need the public key of the worker`)];
  const faults = [
    browsers && own && !same(browsers, own) && `${BROWSERS} and VAPID_PUBLIC_KEY differ: set both to the same key`,
    secret && pairFault(secret, used),
    subjectFault(env.get("VAPID_SUBJECT")),
    ...theirs.map((key) => !same(key, used) && workerFault(key)),
  ].filter((fault) => typeof fault === "string");
  if (faults.length > 0) return faults.map((fault) => wrong("VAPID keys", fault));
  return [ok("VAPID keys", theirs.length > 0 ? "the app's key is the worker's" : "no worker sends web push yet")];
}

/** Of an address alone: of an https URL a worker judges better. */
function subjectFault(subject: string | undefined): string | null {
  if (!subject?.startsWith("mailto:") || isContact(subject.slice("mailto:".length))) return null;
  return "VAPID_SUBJECT: Apple's push service refuses it, and no worker starts: mailto: and an address at a public host";
}

function workerFault(key: string): string {
  return `a worker signs with another key (${key.slice(0, 12)}...): give app and worker the same pair, and restart both`;
}

function pairFault(secret: string, used: string): string | null {
  const half = publicHalf(secret);
  if (half === null) return "VAPID_PRIVATE_KEY is no private key on P-256: npx pushmill init makes a pair";
  return same(half, used) ? null : "VAPID_PRIVATE_KEY is of another pair than the public key: set both of one pair";
}

/** base64url of the uncompressed point (RFC 8292, section 3.2); null: it is no key. */
function publicHalf(secret: string): string | null {
  try {
    const key = createECDH("prime256v1");
    const scalar = scalarOf(secret);
    if (scalar.byteLength !== LENGTH) return null;
    key.setPrivateKey(scalar);
    return key.getPublicKey().toString("base64url");
  } catch {
    return null;
  }
}

function scalarOf(secret: string): Buffer {
  if (!secret.includes("BEGIN")) return Buffer.from(secret, "base64url");
  const { crv, d } = createPrivateKey(secret).export({ format: "jwk" });
  return Buffer.from(crv === "P-256" ? (d ?? "") : "", "base64url");
}

const same = (one: string, other: string) => Buffer.from(one, "base64url").equals(Buffer.from(other, "base64url"));
