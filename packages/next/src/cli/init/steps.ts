import { type App, importPath } from "./app.js";
import type { Part } from "./part.js";

/** What the developer does next: what could not be done for them, then the way to the first push. */
export function nextSteps(app: App, part: Part): string {
  const steps = [...installing(app, part), ...migrating(part), ...placing(app, part)];
  const news = part.changes.length > 0;
  return [
    ...(news ? [] : ["Nothing to do: all files are there."]),
    ...section("By hand:", part.byHand),
    ...section("Next:", news ? [...steps, ...running()] : steps),
  ].join("\n");
}

function section(title: string, items: string[]): string[] {
  return items.length > 0 ? ["", title, ...items.map((item, index) => `${index + 1}. ${item}`)] : [];
}

function installing(app: App, { packages }: Part): string[] {
  const missing = packages.filter((name) => !app.packages.has(name));
  return missing.length > 0 ? [`${app.install} ${missing.join(" ")}`] : [];
}

/** Neither a migration of Prisma 7 nor an install of single packages generates the client. */
function migrating({ changes }: Part): string[] {
  if (!changes.some(({ path }) => path.endsWith(".prisma"))) return [];
  return ["npx prisma migrate dev --name pushmill && npx prisma generate"];
}

const COMPONENTS = { "notify-me": ["NotifyMe", "button"], bell: ["Bell", "bell"] } as const;

/** The tags that the developer puts into pages. */
function placing(app: App, { changes }: Part): string[] {
  const page = `${app.source}app/page.tsx`;
  return Object.entries(COMPONENTS).flatMap(([file, [tag, what]]) => {
    const made = changes.find(({ path }) => path.endsWith(`components/${file}.tsx`));
    if (!made) return [];
    return [
      `${page}: import { ${tag} } from "${importPath(app, page, made.path)}"; and put <${tag} /> where the ${what} shall be`,
    ];
  });
}

const running = () => [
  'in a second terminal: make -C <the repository of Pushmill> worker APP="$PWD"',
  "npm run dev, and click the button",
  'npx pushmill push user-1 "It works" (in place of user-1: the id of who is signed in)',
  "if nothing appears: npx pushmill doctor",
];
