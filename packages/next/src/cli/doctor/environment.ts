/** The app's variables, as Next.js reads them. An empty one counts as not set. */
export interface Environment {
  get(name: string): string | undefined;
  /** The file that sets the variable; undefined: the process does, or nobody. */
  fileOf(name: string): string | undefined;
}

type Variables = Readonly<Record<string, string | undefined>>;

const LINE =
  /^[ \t]*(?:export[ \t]+)?(\w+)[ \t]*=[ \t]*(?:"((?:\\.|[^"\\])*)"|'([^']*)'|`([^`]*)`|([^\n#]*?))[ \t]*(?:#.*)?$/gm;

/**
 * The process's own variables win over the files; of these the first one that sets a variable counts
 * (https://nextjs.org/docs/app/guides/environment-variables#environment-variable-load-order). Without NODE_ENV the
 * files are those of `next dev`.
 */
export function environmentOf(read: (path: string) => string | null, process: Variables): Environment {
  const mode = process.NODE_ENV || "development";
  const names = [`.env.${mode}.local`, ".env.local", `.env.${mode}`, ".env"];
  const files = names.map((name) => [name, parse(read(name) ?? "")] as const);
  const fileOf = (name: string) =>
    process[name] === undefined ? files.find(([, variables]) => variables.has(name))?.[0] : undefined;
  const raw = (name: string) => process[name] ?? files.find(([, variables]) => variables.has(name))?.[1].get(name);
  const get = (name: string) => (process[name] === undefined ? expanded(raw(name), raw) : process[name]) || undefined;
  return { get, fileOf };
}

function parse(text: string): Map<string, string> {
  const lines = text.replaceAll("\r\n", "\n").matchAll(LINE);
  return new Map(
    [...lines].map(([, name = "", double, single, back, bare]) => [
      name,
      double?.replaceAll("\\n", "\n").replaceAll('\\"', '"') ?? single ?? back ?? bare ?? "",
    ]),
  );
}

/** `$NAME` and `${NAME}` stand for other variables; `\$` is a dollar. */
function expanded(value: string | undefined, raw: (name: string) => string | undefined, depth = 0): string | undefined {
  return value?.replace(/\\\$|\$\{(\w+)\}|\$(\w+)/g, (found, braced?: string, bare?: string) => {
    const name = braced ?? bare;
    if (!name) return "$";
    return depth < 5 ? (expanded(raw(name), raw, depth + 1) ?? "") : found;
  });
}
