import { createECDH } from "node:crypto";

const SCALAR = 32; // bytes

/** base64url, as `web-push generate-vapid-keys` prints them and as browsers take the public one. */
export interface VapidKeys {
  publicKey: string;
  privateKey: string;
}

/**
 * A fresh pair on P-256 (RFC 8292): the public key is the uncompressed point, the private one 32 bytes.
 *
 * Not by generateKeyPairSync: Node holds the key's lock while it exports a JWK, and when the garbage of the generation is
 * collected just then, it waits for that lock for ever (seen in Node 20.20).
 */
export function vapidKeys(): VapidKeys {
  const pair = createECDH("prime256v1");
  const publicKey = pair.generateKeys().toString("base64url");
  const scalar = pair.getPrivateKey(); // without its leading zeros
  const padded = Buffer.concat([Buffer.alloc(SCALAR - scalar.byteLength), scalar]);
  return { publicKey, privateKey: padded.toString("base64url") };
}
