// A string stays as it is, whatever it holds.
const COMMENT = /("(?:\\.|[^"\\])*")|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
const TRAILING_COMMA = /("(?:\\.|[^"\\])*")|,(?=\s*[}\]])/g;

/** JSON with comments and trailing commas, as tsconfig.json may be. Throws SyntaxError. */
export function parseJsonc(text: string): unknown {
  return JSON.parse(
    text
      .replace(/^\uFEFF/, "")
      .replace(COMMENT, "$1")
      .replace(TRAILING_COMMA, "$1"),
  );
}
