/** Answers the HEAD requests of the routes in place of a store: `objects` has {type, size} by whole key. */
export function fakeBucket(context, bucket = "pictures") {
  const objects = new Map();
  const asked = [];
  context.mock.method(globalThis, "fetch", async (url, { method }) => {
    const { pathname, searchParams } = new URL(url);
    asked.push(pathname);
    if (method !== "HEAD" || !searchParams.has("X-Amz-Signature")) return new Response(null, { status: 403 });
    const object = objects.get(pathname.replace(`/${bucket}/`, ""));
    if (!object) return new Response(null, { status: 404 });
    const headers = { "content-type": object.type, "content-length": String(object.size) };
    return new Response(null, { status: 200, headers });
  });
  return { objects, asked };
}

export const STORAGE = {
  url: "s3://pictures/app",
  endpoint: "https://store.example",
  credentials: { accessKeyId: "id", secretAccessKey: "secret" },
};
