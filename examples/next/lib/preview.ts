/** A message in one line. */
export function preview({ text, file }: { text: string; file: { kind: string } | null }): string {
  if (text) return text;
  return file?.kind === "video" ? "Video" : "Picture";
}
