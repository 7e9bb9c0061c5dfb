// A table as Prisma's delegate shows it, in memory. Each statement ends after a turn of the event loop, so that two
// requests run into each other.

const matches = (value, wanted) => {
  if (wanted === null || typeof wanted !== "object") return value === wanted;
  if ("in" in wanted) return wanted.in.includes(value);
  if ("lt" in wanted) return value < wanted.lt;
  if ("not" in wanted) return value !== wanted.not;
  throw new Error(`the fake has no such condition: ${JSON.stringify(wanted)}`);
};
const fits = (row, where = {}) => Object.entries(where).every(([name, wanted]) => matches(row[name], wanted));
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** `unique` has names of columns, and lists of those that are unique together. */
export function fakeTable({ unique, rows = [], defaults = {} }) {
  let moment = 0;
  let lastId = 0;

  const refuseTwins = (row, others) => {
    const isSame = (other, names) => [names].flat().every((name) => other[name] === row[name]);
    const isTwin = others.some((other) => unique.some((names) => isSame(other, names)));
    if (isTwin) throw Object.assign(new Error("Unique constraint failed"), { code: "P2002" });
  };

  const change = (row, data) => {
    const changed = { ...row, ...data, updatedAt: new Date(++moment) };
    refuseTwins(
      changed,
      rows.filter((other) => other !== row),
    );
    Object.assign(row, changed);
  };

  return {
    rows,
    async findUnique({ where }) {
      await turn();
      const row = rows.find((one) => fits(one, where));
      return row ? { ...row } : null;
    },
    async findMany({ where, orderBy = [], skip = 0, take }) {
      await turn();
      const found = rows.filter((row) => fits(row, where));
      const keys = orderBy.flatMap(Object.entries).reverse();
      const before = (a, b) => a !== b && (b === null || (a !== null && a < b)); // null is greatest, as in PostgreSQL
      for (const [name, direction] of keys) {
        const sign = direction === "desc" ? -1 : 1;
        found.sort((a, b) => sign * (Number(before(b[name], a[name])) - Number(before(a[name], b[name]))));
      }
      return found.slice(skip, take && skip + take).map((row) => ({ ...row }));
    },
    async count({ where }) {
      await turn();
      return rows.filter((row) => fits(row, where)).length;
    },
    async create({ data }) {
      await turn();
      const row = { id: `row-${++lastId}`, ...defaults, ...data, updatedAt: new Date(++moment) };
      refuseTwins(row, rows);
      rows.push(row);
      return { ...row };
    },
    async updateMany({ where, data }) {
      await turn();
      const found = rows.filter((row) => fits(row, where));
      for (const row of found) change(row, data);
      return { count: found.length };
    },
    async deleteMany({ where }) {
      await turn();
      const gone = rows.filter((row) => fits(row, where));
      for (const row of gone) rows.splice(rows.indexOf(row), 1);
      return { count: gone.length };
    },
  };
}
