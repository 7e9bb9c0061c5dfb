/** A variable of the environment. Throws if it is missing: the first request that needs it says its name. */
export function env(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is missing: .env.example says what it is`);
  return value;
}
