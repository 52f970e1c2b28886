/**
 * The Module Federation container that JupyterLab's loader expects: `init` receives the share scope, `get`
 * answers with a module's factory. The modules are evaluated only then, once what they import is there.
 */
import { borrow, type ShareScope } from "./lent.ts";

declare const LENT: readonly string[];
declare const NAME: string;

interface Container {
  init: (scope: ShareScope) => void;
  get: (module: string) => Promise<() => unknown>;
}

declare global {
  interface Window {
    _JUPYTERLAB?: Record<string, Container>;
  }
}

const LOADERS: Record<string, () => Promise<unknown>> = {
  "./extension": () => import("./index.ts"),
  "./style": () => import("./style.ts"),
};

let scope: ShareScope = {};

window._JUPYTERLAB ??= {};
window._JUPYTERLAB[NAME] = {
  init: (given) => {
    scope = given;
  },
  get: async (name) => {
    const load = LOADERS[name];
    if (!load) {
      throw new Error(`${NAME} has no module ${name}`);
    }
    await borrow(scope, LENT);
    // JupyterLab looks for the default export where this mark is.
    const module = { __esModule: true, ...((await load()) as object) };
    return () => module;
  },
};
