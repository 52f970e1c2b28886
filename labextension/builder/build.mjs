// Builds the extension: `node builder/build.mjs OUTPUT` writes the folder that JupyterLab serves.
//
// JupyterLab loads an extension as a Module Federation container (src/container.ts is ours) and lends it
// its own copies of @jupyterlab/* and @lumino/*. Nothing else is bundled, so esbuild is all that a build
// needs, and this folder has a lock file of its own.
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const root = join(import.meta.dirname, "..");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const LENT = /^@(jupyterlab|lumino)\//;

/** Imports of what JupyterLab lends become look-ups in the modules that the container was given. */
const lent = (names) => ({
  name: "lent",
  setup(plugin) {
    plugin.onResolve({ filter: LENT }, ({ path }) => {
      names.add(path);
      return { path, namespace: "lent" };
    });
    plugin.onLoad({ filter: /.*/, namespace: "lent" }, ({ path }) => ({
      contents: `module.exports = require("./src/lent.ts").modules[${JSON.stringify(path)}]`,
      resolveDir: root,
    }));
  },
});

async function bundle() {
  const names = new Set();
  const result = await build({
    absWorkingDir: root,
    entryPoints: ["src/container.ts"],
    bundle: true,
    minify: true,
    write: false,
    format: "iife",
    target: "es2022",
    loader: { ".css": "text", ".svg": "text" },
    define: { NAME: JSON.stringify(manifest.name) },
    plugins: [lent(names)],
    logLevel: "warning",
  });
  // The names are known only now; they are what the container borrows.
  const list = JSON.stringify([...names].sort());
  return `(()=>{const LENT=${list};${result.outputFiles[0].text}})();`;
}

function write(output, code) {
  const digest = createHash("sha256").update(code).digest("hex").slice(0, 16);
  const load = `static/remoteEntry.${digest}.js`;
  const { name, version, description, license } = manifest;
  const jupyterlab = {
    extension: true,
    schemaDir: "schema",
    _build: { load, extension: "./extension", style: "./style" },
  };
  // What JupyterLab checks itself against before it loads the extension.
  const dependencies = { "@jupyterlab/application": "^4.4.0" };
  const described = json({ name, version, description, license, dependencies, jupyterlab });
  rmSync(output, { recursive: true, force: true });
  mkdirSync(join(output, "static"), { recursive: true });
  mkdirSync(join(output, "schemas"));
  writeFileSync(join(output, load), code);
  writeFileSync(join(output, "package.json"), described);
  cpSync(join(root, "schema"), join(output, "schemas", name), { recursive: true });
  writeFileSync(join(output, "schemas", name, "package.json.orig"), described);
  const packageName = "neo-magics";
  const uninstallInstructions = `pip uninstall ${packageName}`;
  writeFileSync(
    join(output, "install.json"),
    json({ packageManager: "python", packageName, uninstallInstructions }),
  );
}

function json(value) {
  return `${JSON.stringify(value, null, 2)}\n`;
}

write(process.argv[2] ?? join(root, "built"), await bundle());
