import { type App, majorOf } from "./app.js";
import { nothing, type Part } from "./part.js";
import { fromTemplate, type Stand, type Stands } from "./templates.js";

/** A package for sign-in: its template, and the app's own module that the template imports. */
interface SignIn {
  package: string;
  template: string;
  /** null: the package itself says who is signed in. */
  module: { name: string; files: string[]; has: RegExp; words(text: string): string | null } | null;
}

const FOLDERS = ["", "lib/", "server/", "utils/", "app/", "server/auth/", "lib/auth/", "auth/"];
const NEXT_AUTH_4 = [
  "app/api/auth/[...nextauth]/route.ts",
  "pages/api/auth/[...nextauth].ts",
  "app/api/auth/[...nextauth]/options.ts",
];
const auths = FOLDERS.flatMap((folder) => ["auth.ts", "index.ts", "auth.config.ts"].map((file) => folder + file));
const sessions = FOLDERS.flatMap((folder) => ["session.ts", "auth.ts", "iron-session.ts"].map((file) => folder + file));

/** `auth` in `export const auth = `, `export const { handlers, auth } = ` and `export { auth }`. */
const exporting = (name: string) =>
  new RegExp(`^export (?:const|let) (?:\\{[^}]*\\b)?${name}\\b|^export \\{[^}]*\\b${name}\\b`, "m");
const named =
  (name: string, as = name) =>
  (text: string) =>
    exporting(name).test(text) ? (name === as ? `{ ${name} }` : `{ ${name} as ${as} }`) : null;

function ironOptions(text: string): string | null {
  const name = /^export const (\w*[oO]ptions)\b/m.exec(text)?.[1];
  return name ? named(name, "sessionOptions")(text) : null;
}

const SIGN_INS: SignIn[] = [
  { package: "@clerk/nextjs", template: "variants/user-id.clerk.ts", module: null },
  {
    package: "better-auth",
    template: "variants/user-id.better-auth.ts",
    module: { name: "lib/auth", files: auths, has: /betterAuth\(/, words: named("auth") },
  },
  {
    package: "next-auth",
    template: "variants/user-id.next-auth-5.ts",
    module: { name: "auth", files: auths, has: /NextAuth\(/, words: named("auth") },
  },
  {
    package: "next-auth",
    template: "variants/user-id.next-auth-4.ts",
    module: {
      name: "lib/auth-options",
      files: [...auths, ...NEXT_AUTH_4],
      has: /authOptions/,
      words: named("authOptions"),
    },
  },
  {
    package: "iron-session",
    template: "variants/user-id.iron-session.ts",
    module: { name: "lib/session", files: sessions, has: /iron-session|cookieName/, words: ironOptions },
  },
];

/** lib/user-id.ts: who is signed in, as the app's own package for sign-in says. */
export function userIdOf(app: App): Part {
  const path = `${app.source}lib/user-id.ts`;
  if (app.read(path) !== null) return nothing();
  for (const signIn of SIGN_INS.filter((each) => app.packages.has(each.package))) {
    if (isOther(app, signIn)) continue;
    const stands = standsOf(app, signIn);
    if (stands)
      return { ...nothing(), changes: fromTemplate(app, signIn.template, path, stands), byHand: advice(signIn) };
  }
  const known = SIGN_INS.find((each) => app.packages.has(each.package));
  const why = known
    ? `${known.package} is installed, but its set-up was not found`
    : "no package for sign-in was found";
  return {
    ...nothing(),
    changes: fromTemplate(app, "lib/user-id.ts", path),
    byHand: [
      `${path}: ${why}: let userId return the id of who is signed in (until then: one user in next dev, else nobody)`,
    ],
  };
}

/** next-auth 4 and 5 are one package with two interfaces. */
function isOther(app: App, { template }: SignIn): boolean {
  const version = app.packages.get("next-auth") ?? "";
  const old = majorOf(version) !== null && (majorOf(version) ?? 0) < 5;
  return (template.endsWith("next-auth-5.ts") && old) || (template.endsWith("next-auth-4.ts") && !old);
}

function standsOf(app: App, { module }: SignIn): Stands | null {
  if (module === null) return {};
  for (const path of module.files.flatMap((file) => (app.source ? [app.source + file, file] : [file]))) {
    const text = app.read(path);
    const words = text !== null && module.has.test(text) ? module.words(text) : null;
    if (words) return { [module.name]: { path, words } satisfies Stand };
  }
  return null;
}

function advice({ template }: SignIn): string[] {
  if (!template.includes("next-auth")) return [];
  return [
    "lib/user-id.ts: Auth.js has the user's id in a JWT only if its session callback copies it: session.user.id = token.sub",
  ];
}
