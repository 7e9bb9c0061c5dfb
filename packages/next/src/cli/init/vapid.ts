import { generateKeyPairSync } from "node:crypto";

/** base64url, as `web-push generate-vapid-keys` prints them and as browsers take the public one. */
export interface VapidKeys {
  publicKey: string;
  privateKey: string;
}

/** A fresh pair on P-256 (RFC 8292): the public key is the uncompressed point, the private one 32 bytes. */
export function vapidKeys(): VapidKeys {
  const { x, y, d } = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" });
  const point = [Buffer.from([4]), Buffer.from(x ?? "", "base64url"), Buffer.from(y ?? "", "base64url")];
  return { publicKey: Buffer.concat(point).toString("base64url"), privateKey: d ?? "" };
}
