// Names that no public server has: RFC 2606, RFC 6762, RFC 8375 and custom, as the worker knows them.
const PRIVATE = /(^|\.)(localhost|invalid|test|example|local|internal|lan|home|home\.arpa|localdomain)$/i;
const ADDRESS =
  /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59}))$/i;

/** Whether a worker starts with this address as VAPID_SUBJECT: Apple's push service refuses others. */
export function isContact(address: string): boolean {
  const host = ADDRESS.exec(address)?.[1];
  return host !== undefined && host.length <= 253 && !PRIVATE.test(host);
}
