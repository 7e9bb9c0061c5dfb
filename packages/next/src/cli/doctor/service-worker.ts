import { shipped } from "../init/templates.js";
import { type Finding, ok, unknown, wrong } from "./finding.js";
import type { Folder } from "./folder.js";

const SCRIPT = "public/pushmill-sw.js";

/** Whether the browser's half of web push is that of the installed package, and the service worker calls it. */
export function serviceWorkerFindings(app: Folder): Finding[] {
  const [script, worker] = [app.read(SCRIPT), app.read("public/sw.js")];
  if (script === null && !worker?.includes("pushmill-sw.js")) {
    if (!app.env.get("NEXT_PUBLIC_VAPID_PUBLIC_KEY")) return [];
    return [
      unknown("Service worker", "public has none that uses pushmill: one that is built must call handlePush(self)"),
    ];
  }
  if (script === null) return [wrong("Service worker", `${SCRIPT} is not there: npx pushmill init copies it`)];
  if (script !== shipped("dist/pushmill-sw.js")) {
    return [wrong("Service worker", `${SCRIPT} is not that of the installed pushmill: npx pushmill init replaces it`)];
  }
  if (!worker?.includes("pushmill-sw.js") || !worker.includes("handlePush")) {
    const lines = shipped("templates/public/sw.js").trim().split("\n").join(" ");
    return [wrong("Service worker", `public/sw.js does not use ${SCRIPT}: add ${lines}`)];
  }
  return [ok("Service worker", `public/sw.js uses the installed ${SCRIPT}`)];
}
