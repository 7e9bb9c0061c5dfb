import { refuse } from "./answer.js";

// The hosts of the push services, each with all names under it: the worker sends to no others.
const SERVICES = [
  "fcm.googleapis.com",
  "jmt17.google.com",
  "android.googleapis.com",
  "push.services.mozilla.com",
  "push.apple.com",
  "notify.windows.com",
];
const MAX_LENGTH = 2048;
// Visible ASCII without the backslash, which some parsers take for a slash.
const CHARACTERS = /^[!-[\]-~]+$/;
const PUBLIC = /^https:\/\/([a-z0-9.-]+)(?::(?:0*443)?)?(?:[/?#]|$)/i;
const LOCAL = /^https?:\/\/(?:localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3})(?::(\d*))?(?:[/?#]|$)/i;
const MAX_PORT = 65535;

export interface EndpointOptions {
  /** Further push services: host names, which include their subdomains. As the worker's PUSH_ALLOWED_HOSTS. */
  allowedHosts?: readonly string[];
  /** For development: also take endpoints on this machine. As the worker's PUSH_ALLOW_LOCAL_ENDPOINTS. */
  allowLocalEndpoints?: boolean;
}

/**
 * Whether the worker may send to this endpoint. Addresses, user names, other ports than 443 and hosts that are no push
 * service are refused, so that a subscription can't make the worker call the app's own network.
 */
export function isEndpoint(endpoint: string, options: EndpointOptions = {}): boolean {
  if (!isUrlText(endpoint)) return false;
  const host = PUBLIC.exec(endpoint)?.[1]?.toLowerCase();
  const allowed = [...SERVICES, ...(options.allowedHosts ?? []).map((name) => name.toLowerCase())];
  if (host !== undefined && allowed.some((name) => host === name || host.endsWith(`.${name}`))) return true;
  return options.allowLocalEndpoints === true && isLocal(endpoint);
}

export function isUrlText(text: string): boolean {
  return text.length <= MAX_LENGTH && CHARACTERS.test(text);
}

function isLocal(endpoint: string): boolean {
  const found = LOCAL.exec(endpoint);
  return found !== null && Number(found[1] ?? 0) <= MAX_PORT;
}

export function checkEndpoint(endpoint: unknown, options: EndpointOptions): string {
  if (typeof endpoint !== "string" || !isUrlText(endpoint)) refuse(422, "subscription.endpoint is not a URL");
  if (!isEndpoint(endpoint, options)) refuse(422, "subscription.endpoint is not at a known push service");
  return endpoint;
}
