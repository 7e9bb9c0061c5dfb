import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createECDH } from "node:crypto";
import { test } from "node:test";
import { vapidKeys } from "../dist/esm/cli/init/vapid.js";

test("the public key is that of the private one, and each is whole", () => {
  // One scalar of 256 starts with a zero byte, which OpenSSL leaves out.
  for (let i = 0; i < 2_000; i++) {
    const { publicKey, privateKey } = vapidKeys();
    const scalar = Buffer.from(privateKey, "base64url");
    assert.deepEqual([privateKey.length, publicKey.length, scalar.byteLength], [43, 87, 32]);
    const pair = createECDH("prime256v1");
    pair.setPrivateKey(scalar);
    assert.equal(pair.getPublicKey("base64url"), publicKey);
  }
});

test("keys are made while garbage is collected", () => {
  // A young generation of 1 MiB is collected all the time.
  const url = new URL("../dist/esm/cli/init/vapid.js", import.meta.url);
  const script = `import { vapidKeys } from ${JSON.stringify(url)}; for (let i = 0; i < 5_000; i++) vapidKeys();`;
  const args = ["--max-semi-space-size=1", "--input-type=module", "--eval", script];
  const { status, signal } = spawnSync(process.execPath, args, { timeout: 60_000 });
  assert.deepEqual([status, signal], [0, null]);
});
