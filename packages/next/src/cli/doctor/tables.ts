import { REQUIRED } from "../init/schema.js";
import type { Folder } from "./folder.js";
import { factsOf, type Worker } from "./workers.js";

/** A table that the worker wants, and which of its columns. */
export interface Table {
  name: string;
  columns: readonly string[];
  /** Groups of columns of which one must be there as a whole. */
  oneOf?: readonly string[][];
  /** The column that must be indexed. */
  indexed?: string;
  /** Our model for it, and the setting that has the table's name. */
  ours?: { model: string; setting: string };
  /** Whether a worker has found it, which may also be a view. */
  isFound?: boolean;
}

const SUBSCRIPTION = REQUIRED.PushSubscription ?? [];
// Columns that the worker reads from JSON, if PUSH_SUBSCRIPTION_COLUMNS names a column for that.
const WITHIN: Record<string, string[]> = {
  keys: ["p256dh", "auth"],
  subscription: ["endpoint", "p256dh", "auth"],
};
const WISHES = [["enabled"], ["quietFrom", "quietTo"]];

/** The tables of the features that app or worker have set up. */
export function wantedTables({ env }: Folder, workers: readonly Worker[]): Table[] {
  const told = (fact: string, variable: string) => factsOf(workers, fact).find(Boolean) ?? env.get(variable);
  const has = (fact: string, ...variables: string[]) => factsOf(workers, fact).length > 0 || variables.some(env.get);
  const table = (model: string, fact: string, setting: string, usual = ""): Table[] => {
    const name = told(fact, setting) || usual;
    return name ? [{ name, columns: REQUIRED[model] ?? [], ours: { model, setting } }] : [];
  };
  const column = (fact: string, setting: string, named: string, columnSetting: string, usual: string): Table[] => {
    const name = told(fact, setting);
    return name ? [{ name, columns: ["id", told(named, columnSetting) ?? usual] }] : [];
  };
  const hasPush = has("vapidPublicKey", "NEXT_PUBLIC_VAPID_PUBLIC_KEY", "VAPID_PUBLIC_KEY");
  const hasFiles = has("storage", "STORAGE_URL");
  const devices = hasPush
    ? table("PushSubscription", "subscriptionTable", "PUSH_SUBSCRIPTION_TABLE", "PushSubscription")
    : [];
  const renamed = renamedBy(told("subscriptionColumns", "PUSH_SUBSCRIPTION_COLUMNS") ?? "");
  const isFound = factsOf(workers, "preferenceTable").some(Boolean);
  return [
    ...devices.map((each) => ({ ...each, ...renamed })),
    ...(hasFiles ? table("File", "fileTable", "FILE_TABLE", "File") : []),
    ...(hasFiles ? column("avatarTable", "AVATAR_TABLE", "avatarColumn", "AVATAR_COLUMN", "image") : []),
    ...table("Notification", "notificationTable", "NOTIFICATION_TABLE").map(byUser),
    ...column(
      "notificationUserTable",
      "NOTIFICATION_USER_TABLE",
      "notificationEmailColumn",
      "NOTIFICATION_EMAIL_COLUMN",
      "email",
    ),
    ...table("NotificationPreference", "preferenceTable", "PREFERENCE_TABLE").map((each) => ({
      ...byUser(each),
      oneOf: WISHES,
      isFound,
    })),
  ];
}

const byUser = (table: Table): Table => ({ ...table, indexed: "userId" });

/** The columns of subscriptions, with the names that `name=column` pairs give them. */
function renamedBy(pairs: string): { columns: string[]; indexed: string } {
  const given = new Map(pairs.split(",").map((pair) => pair.split("=").map((part) => part.trim()) as [string, string]));
  const inside = Object.keys(WITHIN).filter((name) => given.has(name));
  const names = SUBSCRIPTION.filter((name) => given.has(name) || !inside.some((each) => WITHIN[each]?.includes(name)));
  const columnOf = (name: string) => given.get(name) || name;
  return { columns: [...names, ...inside].map(columnOf), indexed: columnOf("userId") };
}
