/** One field of a request that the API refuses. */
export interface Fault {
  field: string;
  detail: string;
}

/** What the API answered, or that it did not answer (`status` 0). It never has the token. */
export class PushmillError extends Error {
  override name = "PushmillError";

  constructor(
    /** The HTTP status; 0: no answer. */
    readonly status: number,
    /** One line. */
    readonly detail: string,
    /** Of a 422: one for each fault. */
    readonly errors: Fault[] = [],
    /** Seconds after which the same request may be sent again. */
    readonly retryAfter?: number,
  ) {
    super(status ? `${status}: ${detail}` : detail);
  }
}

const LONGEST = 1000; // characters of a detail
const FOREIGN = "not an answer of Pushmill's API";

/** The error for an answer that is not the API's, such as a proxy's page, which is not repeated. */
export function foreign(status: number): PushmillError {
  return new PushmillError(status, FOREIGN);
}

/** The error that an answer means. */
export async function refusal(response: Response): Promise<PushmillError> {
  const { status, headers } = response;
  const { detail, errors } = Object(await response.json().catch(() => null));
  if (typeof detail !== "string") return foreign(status);
  const after = Number.parseFloat(headers.get("retry-after") ?? "");
  return new PushmillError(
    status,
    detail.slice(0, LONGEST),
    Array.isArray(errors) ? errors : [],
    after >= 0 ? after : undefined,
  );
}

/** A text as a JSON object. */
export function parsed(text: string, status: number): Record<string, unknown> {
  try {
    return Object(JSON.parse(text));
  } catch {
    throw foreign(status);
  }
}

/** Whether the API said that there is no such job. A proxy's 404 says only that the address is wrong. */
export function isGone(error: unknown): boolean {
  return error instanceof PushmillError && error.status === 404 && error.detail !== FOREIGN;
}
