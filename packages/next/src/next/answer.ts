/** An answer that ends a request early: `message` is one line, which the browser may see. */
export class RouteError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly headers: Record<string, string> = {},
  ) {
    super(message);
  }
}

export function refuse(status: number, message: string): never {
  throw new RouteError(status, message);
}

/** JSON that no cache keeps. */
export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return Response.json(body, { status, headers: { "Cache-Control": "no-store", ...headers } });
}

/** Turn a RouteError into `{error}`. Other errors are the app's to see: Next.js logs them and answers 500. */
export function answering(handle: (request: Request) => Promise<Response>): (request: Request) => Promise<Response> {
  return async (request) => {
    try {
      return await handle(request);
    } catch (error) {
      if (error instanceof RouteError) return json({ error: error.message }, error.status, error.headers);
      throw error;
    }
  };
}
