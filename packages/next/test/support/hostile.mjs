// Values that a hostile client may send in place of any other.

export const BODIES = [
  ["nothing", undefined],
  ["an empty text", ""],
  ["no JSON", "subscription=1"],
  ["null", "null"],
  ["a number", "1e999"],
  ["a list", "[]"],
  ["a text", '"subscription"'],
  ["deep lists", "[".repeat(4000)],
  ["deep objects", `${'{"subscription":'.repeat(400)}1${"}".repeat(400)}`],
  ["a byte order mark", "\ufeff{}"],
  ["bytes that are no UTF-8", new Uint8Array([0x7b, 0xff, 0x7d])],
  ["a NUL", "\0"],
];

const VALUES = [
  null,
  true,
  0,
  -1,
  1e308,
  2 ** 53,
  "",
  "\0",
  "\ud800",
  "__proto__",
  "../../etc/passwd",
  "x".repeat(3000),
  [],
  {},
  { __proto__: null, toString: 1 },
  [[[[[]]]]],
  JSON.parse('{"__proto__":{"isAdmin":true},"constructor":{"prototype":{}}}'),
];

/** A generator of pseudo-random numbers (mulberry32), so that a failure can be repeated. */
export function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** `value` with one to three of its parts, at any depth, replaced, removed or renamed. */
export function mutate(value, chance) {
  const pick = (list) => list[Math.floor(chance() * list.length)];
  const changed = structuredClone(value);
  for (let left = 1 + Math.floor(chance() * 3); left > 0; left--) {
    let [owner, names] = [changed, Object.keys(changed)];
    let name = pick(names);
    while (name !== undefined && isObject(owner[name]) && chance() < 0.6) {
      owner = owner[name];
      names = Object.keys(owner);
      name = pick(names);
    }
    if (name === undefined) continue;
    const way = chance();
    if (way < 0.7) owner[name] = structuredClone(pick(VALUES));
    else if (way < 0.85) delete owner[name];
    else
      Object.defineProperty(owner, pick(["__proto__", "x", "0"]), {
        value: owner[name],
        enumerable: true,
        configurable: true,
        writable: true,
      });
  }
  return changed;
}

const isObject = (value) => typeof value === "object" && value !== null && Object.keys(value).length > 0;
