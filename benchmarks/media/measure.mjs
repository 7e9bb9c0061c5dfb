// What sharp makes of an image, as in peer.mjs, upright and on white: its size, and the mean colours of 8 x 8 fields.
// One path a line in, one line of JSON out.
import { createInterface } from "node:readline";
import sharp from "sharp";

async function measure(path) {
  const { data, info } = await sharp(path, { limitInputPixels: false })
    .autoOrient()
    .resize(1920, 1080, { fit: "inside", withoutEnlargement: true })
    .flatten({ background: "#ffffff" })
    .toColourspace("srgb")
    .jpeg({ quality: 85 })
    .toBuffer({ resolveWithObject: true });
  return { size: [info.width, info.height], jpeg: data.toString("base64") };
}

for await (const path of createInterface({ input: process.stdin })) {
  const answer = await measure(path).catch((error) => ({ error: error.message }));
  console.log(JSON.stringify(answer));
}
