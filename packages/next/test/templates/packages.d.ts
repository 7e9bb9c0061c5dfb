// What the templates use of packages and modules that an app has. `make matrix` compiles them with the real ones: those of
// Prisma in tests/companion/test_init.py, those for sign-in in tests/companion/test_sign_in.py.
declare module "@/generated/prisma/client" {
  export class PrismaClient {
    constructor(options: { adapter: unknown });
    pushSubscription: import("../../src/next/subscription-table.js").PushSubscriptionModel;
    file: import("../../src/next/file-table.js").FileModel;
    notification: import("../../src/next/notification-table.js").NotificationModel;
    notificationPreference: import("../../src/next/preference-table.js").PreferenceModel;
  }
}
declare module "@prisma/client" {
  export class PrismaClient {}
}
declare module "@prisma/adapter-libsql" {
  export class PrismaLibSql {
    constructor(options: { url: string; timeout?: number });
  }
}
declare module "@prisma/adapter-pg" {
  export class PrismaPg {
    constructor(options: { connectionString: string });
  }
}
declare module "prisma/config" {
  export function defineConfig(config: {
    schema: string;
    migrations: { path: string };
    datasource: { url: string };
  }): unknown;
}
declare module "@clerk/nextjs/server" {
  export function auth(): Promise<{ userId: string | null }>;
}
declare module "@/lib/auth" {
  export const auth: { api: { getSession(options: { headers: Headers }): Promise<{ user: { id: string } } | null> } };
}
declare module "@/auth" {
  export function auth(): Promise<{ user?: { id?: string } } | null>;
}
declare module "next-auth" {
  export function getServerSession(options: object): Promise<{ user?: object } | null>;
}
declare module "@/lib/auth-options" {
  export const authOptions: object;
}
declare module "iron-session" {
  export function getIronSession<Data extends object>(store: object, options: object): Promise<Data>;
}
declare module "next/headers" {
  export function cookies(): Promise<object>;
}
declare module "@/lib/session" {
  export const sessionOptions: object;
}
