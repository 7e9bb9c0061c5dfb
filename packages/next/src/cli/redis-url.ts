/**
 * The URL of the worker's Redis, from the worker's own settings (queue_lib/redis_settings.py); `setting` gives the value
 * of a variable. undefined: none is set.
 */
export function redisUrlOf(setting: (name: string) => string | undefined): string | undefined {
  return setting("REDIS_TLS_URL") || setting("REDIS_URL") || ofHost(setting);
}

function ofHost(setting: (name: string) => string | undefined): string | undefined {
  const [host, password] = [setting("REDIS_HOST"), setting("REDIS_PASSWORD")];
  if (!host) return undefined;
  const login = password && password !== "null" ? `:${encodeURIComponent(password)}@` : "";
  const name = host.includes(":") ? `[${host}]` : host;
  return `redis://${login}${name}:${setting("REDIS_PORT") || 6379}/${setting("REDIS_DB") || 0}`;
}
