// The worker that a Next.js team writes: stock bullmq, the AWS SDK, sharp and pg, three jobs at once.
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { Worker } from "bullmq";
import pg from "pg";
import sharp from "sharp";

const env = process.env;
const pool = new pg.Pool({ connectionString: env.DATABASE_URL });
const s3 = new S3Client({ endpoint: env.S3_ENDPOINT_URL, region: "us-east-1", forcePathStyle: true });
const Bucket = env.BUCKET;

async function upload(Body, Key) {
  await s3.send(new PutObjectCommand({ Bucket, Key, Body, ContentType: "image/jpeg" }));
  return `${env.S3_ENDPOINT_URL}/${Bucket}/${Key}`;
}

async function processImage(job) {
  const { fileId, filePath } = job.data;
  const object = await s3.send(new GetObjectCommand({ Bucket, Key: filePath }));
  const buffer = Buffer.from(await object.Body.transformToByteArray());
  const compressed = await sharp(buffer)
    .resize(1920, 1080, { fit: "inside", withoutEnlargement: true })
    .jpeg({ quality: 85 })
    .toBuffer();
  const thumbnail = await sharp(buffer).resize(320, 240, { fit: "cover" }).jpeg({ quality: 75 }).toBuffer();
  const [compressedUrl, thumbnailUrl] = await Promise.all([
    upload(compressed, `${fileId}-compressed.jpg`),
    upload(thumbnail, `${fileId}-thumbnail.jpg`),
  ]);
  await pool.query('UPDATE "File" SET "compressedUrl" = $1, "thumbnailUrl" = $2, "processed" = true WHERE "id" = $3', [
    compressedUrl,
    thumbnailUrl,
    fileId,
  ]);
  return { compressedUrl, thumbnailUrl };
}

const worker = new Worker("file-processing", processImage, {
  connection: { url: env.REDIS_URL },
  concurrency: 3,
  autorun: false,
});
await worker.waitUntilReady();
console.log("started");
await worker.run();
