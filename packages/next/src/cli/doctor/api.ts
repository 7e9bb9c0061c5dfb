import type { Environment } from "./environment.js";
import { type Finding, ok, unknown, wrong } from "./finding.js";
import { type Worker, workerOf } from "./workers.js";

const PATIENCE = 10_000; // milliseconds

/** What web.py says; `workers` is null if it was not asked, or has not answered. */
export interface ApiReport {
  findings: Finding[];
  workers: Worker[] | null;
}

/** Whether the API can be reached, is ready, and knows the token. */
export async function askApi(env: Environment): Promise<ApiReport> {
  const [url, token] = [env.get("PUSHMILL_URL"), env.get("PUSHMILL_TOKEN")];
  const report = (finding: Finding, workers: Worker[] | null = null) => ({ findings: [finding], workers });
  if (!url)
    return report(unknown("API", "PUSHMILL_URL is not set: fine, if the app uses neither web.py nor its dashboard"));
  if (!token) return report(wrong("API", "PUSHMILL_TOKEN is not set: python -m scripts.make_api_token makes one"));
  if (!URL.canParse(url))
    return report(wrong("API", "PUSHMILL_URL is not an address such as https://pushmill.example"));
  const { host } = new URL(url);
  try {
    const ready = await ask(url, "/readyz", token);
    if (ready.status === 503) return report(wrong("API", `web.py at ${host} is not ready: ${await detailOf(ready)}`));
    if (!ready.ok) return report(wrong("API", `what answers at ${host} (${ready.status}) is not web.py`));
    const answer = await ask(url, "/queue/workers", token);
    if (answer.status === 401)
      return report(wrong("API", `web.py at ${host} does not know PUSHMILL_TOKEN: put its entry into API_TOKENS`));
    if (!answer.ok)
      return report(wrong("API", `web.py at ${host} answers ${answer.status}: ${await detailOf(answer)}`));
    const workers = ((await answer.json()) as unknown[]).map(workerOf).filter((worker) => worker !== null);
    return report(ok("API", `web.py at ${host} is ready and knows the token`), workers);
  } catch (error) {
    return report(
      wrong(
        "API",
        `web.py at ${host} can't be reached (${reasonOf(error)}): is it running, and is PUSHMILL_URL right?`,
      ),
    );
  }
}

function ask(url: string, path: string, token: string): Promise<Response> {
  const headers = { authorization: `Bearer ${token}` };
  return fetch(url.replace(/\/+$/, "") + path, { headers, redirect: "manual", signal: AbortSignal.timeout(PATIENCE) });
}

async function detailOf(answer: Response): Promise<string> {
  const { detail } = (await answer.json().catch(() => ({}))) as { detail?: unknown };
  return typeof detail === "string" ? detail : "it does not say why";
}

function reasonOf(error: unknown): string {
  const { name, cause } = error as { name?: string; cause?: { code?: unknown } };
  if (name === "TimeoutError") return `no answer within ${PATIENCE / 1000} seconds`;
  return typeof cause?.code === "string" ? cause.code : "no answer that can be read";
}
