/** Code that the extension writes into notebooks and onto the clipboard. */

/** A cell that loads a job's compiled model. */
export function loadCell(name: string, backend: string): string {
  const where = backend ? `, backend=${JSON.stringify(backend)}` : "";
  return `import neo_magics

job = neo_magics.Job.open(${JSON.stringify(name)}${where})
compiled = job.load()`;
}

/** The dtype that needs typical inputs. */
export const CALIBRATED = "int8";

export interface CompileChoice {
  model: string;
  target: string;
  input: string;
  /** "" is what the model says. */
  dtype: string;
  /** Typical inputs; only int8 takes them. */
  calibrate: string;
  backend: string;
}

/** The %compile line for what was chosen in the form. */
export function compileLine(choice: CompileChoice): string {
  return [
    `%compile ${quoted(choice.model.trim() || "model")}`,
    option("--target", choice.target),
    option("--input", choice.input),
    option("--dtype", choice.dtype),
    option("--calibrate", choice.dtype === CALIBRATED ? choice.calibrate : ""),
    option("--backend", choice.backend),
    "-o job",
  ]
    .filter(Boolean)
    .join(" ");
}

function option(flag: string, value: string): string {
  return value.trim() && `${flag} ${quoted(value.trim())}`;
}

function quoted(word: string): string {
  return /\s/.test(word) ? JSON.stringify(word) : word;
}
