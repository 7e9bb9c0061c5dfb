/** Access to the bucket, as AWS calls its parts. */
export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | undefined;
}

/** Where uploads go. Each default is the worker's own setting, so that both use the same bucket. */
export interface StorageOptions {
  /** `s3://bucket/prefix`. Default: STORAGE_URL. */
  url?: string | undefined;
  /** The URL of a service with S3's protocol, as browsers reach it. Default: S3_ENDPOINT_URL, else AWS. */
  endpoint?: string | undefined;
  /** Default: AWS_REGION or AWS_DEFAULT_REGION, else "us-east-1". R2: "auto". */
  region?: string | undefined;
  /**
   * Where URLs have the bucket's name: in the `path` or in the host name (`virtual`). Default: S3_ADDRESSING_STYLE,
   * else `virtual` on AWS and `path` elsewhere.
   */
  addressing?: string | undefined;
  /** Default: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN. A function is for keys that expire. */
  credentials?: Credentials | (() => Promise<Credentials>) | undefined;
}

/** A bucket that requests can be signed for. `base` is its URL, without a slash at the end. */
export interface Bucket {
  name: string;
  prefix: string;
  base: URL;
  region: string;
  credentials: Credentials;
}

/** The bucket of the options and the environment. Throws a TypeError that names what is missing or wrong. */
export async function findBucket(options: StorageOptions): Promise<Bucket> {
  const { env } = process;
  const { name, prefix } = location(options.url || env.STORAGE_URL);
  const region = options.region || env.AWS_REGION || env.AWS_DEFAULT_REGION || "us-east-1";
  const endpoint = options.endpoint || env.S3_ENDPOINT_URL;
  const base = address(name, region, endpoint, options.addressing || env.S3_ADDRESSING_STYLE);
  return { name, prefix, base, region, credentials: await credentials(options.credentials) };
}

function location(url: string | undefined): { name: string; prefix: string } {
  const found = /^s3:\/\/([a-z0-9.-]+)(?:\/([^?#]*))?$/i.exec(url ?? "");
  if (!found?.[1]) throw new TypeError("STORAGE_URL is not s3://bucket/prefix: browsers upload to a bucket only");
  return { name: found[1], prefix: (found[2] ?? "").replace(/^\/+|\/+$/g, "") };
}

function address(bucket: string, region: string, endpoint: string | undefined, addressing: string | undefined): URL {
  const suffix = region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
  const base = new URL(endpoint ?? `https://s3.${region}.${suffix}`);
  // AWS's certificate covers one label: https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
  const isVirtual = addressing === "virtual" || (addressing !== "path" && !endpoint && !bucket.includes("."));
  if (isVirtual) base.host = `${bucket}.${base.host}`;
  const path = base.pathname.replace(/\/+$/, "");
  base.pathname = isVirtual ? path : `${path}/${bucket}`;
  return base;
}

async function credentials(given: StorageOptions["credentials"]): Promise<Credentials> {
  if (given) return typeof given === "function" ? given() : given;
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = process.env;
  if (!AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY) {
    throw new TypeError("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set: uploads can't be signed");
  }
  return { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY, sessionToken: AWS_SESSION_TOKEN };
}
