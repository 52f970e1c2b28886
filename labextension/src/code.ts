/** Code that the extension writes into notebooks and onto the clipboard. */

/** A cell that loads a job's compiled model. */
export function loadCell(name: string, backend: string): string {
  const where = backend ? `, backend=${JSON.stringify(backend)}` : "";
  return `import neo_magics

job = neo_magics.Job.open(${JSON.stringify(name)}${where})
compiled = job.load()`;
}

export interface CompileChoice {
  model: string;
  target: string;
  input: string;
  backend: string;
}

/** The %compile line for what was chosen in the form. */
export function compileLine(choice: CompileChoice): string {
  const input = choice.input.trim();
  return [
    `%compile ${quoted(choice.model.trim() || "model")}`,
    `--target ${choice.target}`,
    ...(input ? [`--input ${quoted(input)}`] : []),
    ...(choice.backend ? [`--backend ${choice.backend}`] : []),
    "-o job",
  ].join(" ");
}

function quoted(word: string): string {
  return /\s/.test(word) ? JSON.stringify(word) : word;
}
