/** The variables that a .env file sets. A line that begins with # sets none. */
export function variables(text: string): Map<string, string> {
  const found = text.matchAll(/^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(?:"([^"\n]*)"|'([^'\n]*)'|([^\n#]*))/gm);
  return new Map(
    [...found].map(([, name = "", double, single, bare]) => [name, double ?? single ?? bare?.trim() ?? ""]),
  );
}
