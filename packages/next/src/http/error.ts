/** One field of a request that the API refuses. */
export interface Fault {
  field: string;
  detail: string;
}

/** What the API answered, or that it did not answer (`status` 0). It never has the token. */
export class PushmillError extends Error {
  /** The HTTP status; 0: no answer. */
  declare readonly status: number;
  /** One line. */
  declare readonly detail: string;
  /** Of a 422: one for each fault. */
  declare readonly errors: Fault[];
  /** Seconds after which the same request may be sent again. */
  declare readonly retryAfter?: number;

  constructor(status: number, detail: string, errors: Fault[] = [], retryAfter?: number) {
    super(status ? `${status}: ${detail}` : detail);
    Object.assign(this, { name: "PushmillError", status, detail, errors, retryAfter });
  }
}

const LONGEST = 1000; // characters of a detail
export const FOREIGN = "not an answer of Pushmill's API";

/** The error that an answer means. Of one that is not the API's, such as a proxy's page, nothing is repeated. */
export function refusal({ status, headers }: Response, said: unknown): PushmillError {
  const { detail, errors } = Object(said);
  return new PushmillError(
    status,
    typeof detail === "string" ? detail.slice(0, LONGEST) : FOREIGN,
    [errors ?? []].flat() as Fault[],
    Number(headers.get("retry-after")) || undefined,
  );
}

/** A text as a JSON object; undefined for anything else. */
export function parsed(text: string): Record<string, unknown> | undefined {
  try {
    return Object(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Whether the API said that there is no such job. A proxy's 404 says only that the address is wrong. */
export function isGone(error: unknown): boolean {
  const { status, detail } = Object(error);
  return status === 404 && detail !== FOREIGN;
}
