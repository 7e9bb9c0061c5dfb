import type { Bucket } from "./storage.js";

// AWS's Signature Version 4. Stores with S3's protocol take no other.
// In a URL: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
// In a form: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
const ALGORITHM = "AWS4-HMAC-SHA256";

/** What one signature is for. `key` is a whole key of the bucket, with its prefix. `seconds`: how long it is valid. */
export interface Order {
  key: string;
  seconds: number;
  now: Date;
}

/** The URL under which this request, with exactly these headers, is allowed. */
export async function signedUrl(
  bucket: Bucket,
  method: "PUT" | "HEAD" | "GET",
  { key, seconds, now }: Order,
  headers: Record<string, string> = {},
): Promise<string> {
  const url = new URL(bucket.base);
  const path = `${url.pathname.replace(/\/$/, "")}/${key.split("/").map(encode).join("/")}`;
  const signed = Object.entries({ ...headers, host: url.host })
    .map(([name, value]): [string, string] => [name.toLowerCase(), value])
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const names = signed.map(([name]) => name).join(";");
  const { sessionToken } = bucket.credentials;
  const query = Object.entries({
    "X-Amz-Algorithm": ALGORITHM,
    "X-Amz-Credential": `${bucket.credentials.accessKeyId}/${scope(bucket, now)}`,
    "X-Amz-Date": stamp(now),
    "X-Amz-Expires": String(seconds),
    ...(sessionToken && { "X-Amz-Security-Token": sessionToken }),
    "X-Amz-SignedHeaders": names,
  })
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .join("&");
  const lines = signed.map(([name, value]) => `${name}:${value}\n`).join("");
  const request = [method, path, query, lines, names, "UNSIGNED-PAYLOAD"].join("\n");
  const text = [ALGORITHM, stamp(now), scope(bucket, now), hex(await sha256(request))].join("\n");
  return `${url.origin}${path}?${query}&X-Amz-Signature=${await sign(bucket, now, text)}`;
}

/** The fields of a form that may store one object: of this content type, with 1 to `maxBytes` bytes. */
export async function signedForm(
  bucket: Bucket,
  { key, seconds, now }: Order,
  contentType: string,
  maxBytes: number,
): Promise<Record<string, string>> {
  const { accessKeyId, sessionToken } = bucket.credentials;
  const fields = {
    key,
    "Content-Type": contentType,
    "X-Amz-Algorithm": ALGORITHM,
    "X-Amz-Credential": `${accessKeyId}/${scope(bucket, now)}`,
    "X-Amz-Date": stamp(now),
    ...(sessionToken && { "X-Amz-Security-Token": sessionToken }),
  };
  const exactly = Object.entries({ bucket: bucket.name, ...fields }).map(([name, value]) => ({ [name]: value }));
  const policy = {
    expiration: new Date(now.getTime() + seconds * 1000).toISOString(),
    conditions: [...exactly, ["content-length-range", 1, maxBytes]],
  };
  const text = base64(new TextEncoder().encode(JSON.stringify(policy)));
  return { ...fields, Policy: text, "X-Amz-Signature": await sign(bucket, now, text) };
}

async function sign(bucket: Bucket, now: Date, text: string): Promise<string> {
  let key: Uint8Array<ArrayBuffer> = new TextEncoder().encode(`AWS4${bucket.credentials.secretAccessKey}`);
  for (const part of scope(bucket, now).split("/")) key = await hmac(key, part);
  return hex(await hmac(key, text));
}

function scope(bucket: Bucket, now: Date): string {
  return `${stamp(now).slice(0, 8)}/${bucket.region}/s3/aws4_request`;
}

function stamp(now: Date): string {
  return now.toISOString().replace(/[:-]|\.\d+/g, "");
}

/** Percent-encoded by RFC 3986, which leaves fewer characters as they are than encodeURIComponent. */
function encode(text: string): string {
  const asHex = (character: string) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(text).replace(/[!'()*]/g, asHex);
}

async function hmac(key: Uint8Array<ArrayBuffer>, text: string): Promise<Uint8Array<ArrayBuffer>> {
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, new TextEncoder().encode(text)));
}

async function sha256(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}
