// The peer: an upload to two JPEGs with sharp, as a Next.js team writes it. One line of JSON in, one out, for each job.
import { readFile, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import sharp from "sharp";

async function run({ source, folder }) {
  const buffer = await readFile(source);
  const compressed = await sharp(buffer)
    .resize(1920, 1080, { fit: "inside", withoutEnlargement: true })
    .jpeg({ quality: 85 })
    .toBuffer();
  const thumbnail = await sharp(buffer).resize(320, 240, { fit: "cover" }).jpeg({ quality: 75 }).toBuffer();
  await writeFile(`${folder}/compressed.jpg`, compressed);
  await writeFile(`${folder}/thumbnail.jpg`, thumbnail);
}

console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  const since = performance.now();
  await run(JSON.parse(line));
  console.log(JSON.stringify({ ms: performance.now() - since }));
}
