/** The modules that JupyterLab lends to this extension, by name; the container fills it. */
export const modules: Record<string, unknown> = {};

/** One version of a module in JupyterLab's share scope, as Module Federation keeps it. */
export interface Shared {
  get: () => Promise<() => unknown>;
  loaded?: unknown;
}

export type ShareScope = Record<string, Record<string, Shared>>;

/** Take `names` from `scope`; a name that this JupyterLab does not have is left out. */
export async function borrow(scope: ShareScope, names: readonly string[]): Promise<void> {
  await Promise.all(
    names.map(async (name) => {
      const shared = chosen(scope[name] ?? {});
      if (shared) {
        modules[name] = (await shared.get())();
      }
    }),
  );
}

/** The version in use, else the newest: these packages are singletons. */
function chosen(versions: Record<string, Shared>): Shared | undefined {
  const entries = Object.entries(versions);
  const inUse = entries.find(([, shared]) => shared.loaded);
  const newest = entries.sort(([a], [b]) => b.localeCompare(a, "en", { numeric: true }))[0];
  return (inUse ?? newest)?.[1];
}
