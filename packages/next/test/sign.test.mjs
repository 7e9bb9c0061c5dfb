import assert from "node:assert/strict";
import { test } from "node:test";
import { S3Client } from "@aws-sdk/client-s3";
import { signedForm, signedUrl } from "../dist/esm/next/sign.js";
import { findBucket } from "../dist/esm/next/storage.js";

// The account of AWS's documentation.
const credentials = {
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
};
const now = new Date("2013-05-24T00:00:00Z");

/** What AWS's own library signs. */
async function signer(region, keys) {
  return new S3Client({ region, credentials: keys }).config.signer({});
}

test("a URL has the signature of AWS's documentation", async () => {
  // https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
  const base = new URL("https://examplebucket.s3.amazonaws.com");
  const bucket = { name: "examplebucket", prefix: "", base, region: "us-east-1", credentials };
  const url = await signedUrl(bucket, "GET", { key: "test.txt", seconds: 86400, now });
  assert.equal(
    url,
    "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256" +
      "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request" +
      "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host" +
      "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
  );
});

const BUCKETS = [
  { url: "s3://pictures" },
  { url: "s3://pictures", region: "eu-central-1" },
  { url: "s3://with.dots", region: "cn-north-1" },
  { url: "s3://pictures", endpoint: "https://project.supabase.example/storage/v1/s3/" },
  { url: "s3://pictures", endpoint: "http://127.0.0.1:9000", region: "auto" },
  { url: "s3://pictures", endpoint: "https://account.r2.example", addressing: "virtual" },
];
const KEYS = ["uploads/ann/1", "a b/ä/€/😀", "plus+and&=?#%25", "!'()*~-._", "a//b", "%2e%2e"];

for (const options of BUCKETS) {
  test(`URLs of ${JSON.stringify(options)} are signed as AWS's library signs them`, async () => {
    const bucket = await findBucket({ ...options, credentials: { ...credentials, sessionToken: "to/ken+==" } });
    for (const key of KEYS) {
      const headers = { "content-length": "123", "content-type": "image/png" };
      const url = new URL(await signedUrl(bucket, "PUT", { key, seconds: 3600, now }, headers));
      const request = {
        method: "PUT",
        protocol: url.protocol,
        hostname: url.hostname,
        port: url.port ? Number(url.port) : undefined,
        path: url.pathname,
        query: {},
        headers: { ...headers, host: url.host, "x-amz-content-sha256": "UNSIGNED-PAYLOAD" },
      };
      const signed = await (await signer(bucket.region, bucket.credentials)).presign(request, {
        signingDate: now,
        expiresIn: 3600,
        signableHeaders: new Set(["content-length", "content-type", "host"]),
        unhoistableHeaders: new Set(["x-amz-content-sha256"]),
        unsignableHeaders: new Set(["x-amz-content-sha256"]),
      });
      const ours = Object.fromEntries(url.searchParams);
      assert.deepEqual(ours, { ...signed.query, "X-Amz-Signature": ours["X-Amz-Signature"] });
      assert.equal(ours["X-Amz-Signature"], signed.query["X-Amz-Signature"], key);
    }
  });
}

test("a form has the signature that AWS's library gives its policy", async () => {
  const bucket = await findBucket({ url: "s3://pictures", region: "eu-west-1", credentials });
  const fields = await signedForm(bucket, { key: "uploads/1", seconds: 3600, now }, "image/png", 5000);
  const { Policy, "X-Amz-Signature": signature, ...rest } = fields;
  const policy = JSON.parse(Buffer.from(Policy, "base64"));
  assert.equal(policy.expiration, "2013-05-24T01:00:00.000Z");
  const exact = Object.entries({ bucket: "pictures", ...rest }).map(([name, value]) => ({ [name]: value }));
  assert.deepEqual(policy.conditions, [...exact, ["content-length-range", 1, 5000]]);
  assert.equal(signature, await (await signer("eu-west-1", credentials)).sign(Policy, { signingDate: now }));
});

const PLACES = [
  [{ url: "s3://pictures/a/b/" }, "https://pictures.s3.us-east-1.amazonaws.com/", "a/b"],
  [{ url: "s3://pictures", addressing: "path" }, "https://s3.us-east-1.amazonaws.com/pictures", ""],
  [{ url: "s3://pictures", addressing: "auto", endpoint: "http://minio:9000" }, "http://minio:9000/pictures", ""],
];
for (const [options, base, prefix] of PLACES) {
  test(`${JSON.stringify(options)} is at ${base}`, async () => {
    const bucket = await findBucket({ ...options, credentials });
    assert.deepEqual([String(bucket.base), bucket.prefix], [base, prefix]);
  });
}

for (const url of [undefined, "", "file:///srv/media", "pictures", "s3://", "s3://pictures?x", "https://pictures/"]) {
  test(`${url} is not a bucket`, () => assert.rejects(findBucket({ url, credentials }), /STORAGE_URL is not s3:/));
}

test("missing credentials are named, and a function may bring them", async () => {
  await assert.rejects(findBucket({ url: "s3://pictures" }), /AWS_ACCESS_KEY_ID/);
  const bucket = await findBucket({ url: "s3://pictures", credentials: async () => credentials });
  assert.equal(bucket.credentials, credentials);
});
