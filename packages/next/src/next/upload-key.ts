const PLAIN = /^[A-Za-z0-9_-]{1,64}$/;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The storage key of an upload. A browser chooses no part of it. */
export async function uploadKey(user: string | number, uuid: string): Promise<string> {
  return `uploads/${await folder(String(user))}/${uuid}`;
}

/** The uuid of a key that `uploadKey` made for this user; null for every other text. */
export async function uuidOf(key: string, user: string | number): Promise<string | null> {
  const uuid = key.slice(key.lastIndexOf("/") + 1);
  return UUID.test(uuid) && key === (await uploadKey(user, uuid)) ? uuid : null;
}

/** A folder for each user. An id that could lead out of its folder, or is too long, is hashed; no plain id has a dot. */
async function folder(user: string): Promise<string> {
  if (PLAIN.test(user)) return user;
  const units = new TextEncoder().encode(JSON.stringify(user)); // JSON tells lone surrogates apart, UTF-8 does not
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", units));
  return `id.${Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
