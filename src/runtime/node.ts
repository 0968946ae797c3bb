/**
 * A module that only Node has; undefined elsewhere. Bundlers for browsers don't see what is imported, so they need no
 * rule to leave it out.
 * @throws what importing it throws
 */
export const nodeModule = async <T>(specifier: string): Promise<T | undefined> => {
  const { process } = globalThis as { process?: { versions?: { node?: string } } };
  return process?.versions?.node ? ((await import(/* @vite-ignore */ /* webpackIgnore: true */ specifier)) as T) : undefined;
};
