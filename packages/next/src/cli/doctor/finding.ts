/** What the doctor says of one thing, in one line without secrets. `unknown`: it could not be looked at. */
export interface Finding {
  mark: "ok" | "wrong" | "unknown";
  about: string;
  text: string;
}

export const ok = (about: string, text: string): Finding => ({ mark: "ok", about, text });
export const wrong = (about: string, text: string): Finding => ({ mark: "wrong", about, text });
export const unknown = (about: string, text: string): Finding => ({ mark: "unknown", about, text });

const MARKS = { ok: "ok   ", wrong: "WRONG", unknown: "-    " };

/** The line, whatever servers have put into it. */
export function lineOf({ mark, about, text }: Finding): string {
  return `${MARKS[mark]}  ${about}: ${text}`.replace(/\p{Cc}+/gu, " ");
}
