import type { App } from "./app.js";
import type { Change } from "./changes.js";
import { nothing, type Part } from "./part.js";
import { fromTemplate, shipped } from "./templates.js";

const OURS = "public/pushmill-sw.js";
const SERWIST = ["@serwist/next", "@serwist/turbopack", "serwist", "@ducanh2912/next-pwa", "next-pwa"];
const SOURCES = ["app/sw.ts", "src/app/sw.ts", "sw.ts", "src/sw.ts", "worker/index.ts", "src/worker/index.ts"];

/** public/sw.js, which loads the package's script. A service worker that the app has is only told what to call. */
export function serviceWorkerOf(app: App): Part {
  const built = SERWIST.find((name) => app.packages.has(name));
  if (built) return { ...nothing(), byHand: intoSource(app, built) };
  const existing = app.read("public/sw.js");
  const changes = [...script(app), ...fromTemplate(app, "public/sw.js", "public/sw.js")];
  if (existing === null || existing.includes("pushmill")) return { ...nothing(), changes };
  const lines = shipped("templates/public/sw.js").trimEnd().replaceAll("\n", "\n    ");
  return { ...nothing(), changes, byHand: [`public/sw.js is kept; add to it:\n    ${lines}`] };
}

/** The package's own file: a new version of the package brings a new one. */
function script(app: App): Change[] {
  const [before, after] = [app.read(OURS), shipped("dist/pushmill-sw.js")];
  const summary = `a copy of the package's own script, ${after.length} characters`;
  return before === after ? [] : [{ path: OURS, before, after, summary }];
}

function intoSource(app: App, builder: string): string[] {
  const source = SOURCES.find((path) => app.read(path) !== null);
  if (source && app.read(source)?.includes("pushmill/sw")) return [];
  return [
    `${builder} builds the service worker; add to ${source ?? "its source"}:\n` +
      '    import { handlePush } from "pushmill/sw";\n    handlePush(self);\n' +
      "  If its script is not at /sw.js, name it in components/notify-me.tsx: usePush({ publicKey, userId, serviceWorker })",
  ];
}
