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

/** The request as a call of boto3 through this package. */
export function boto3Call(request: Record<string, unknown>, backend: string): string {
  const members = Object.entries(request).map(([name, value]) => `    ${name}=${python(value)},`);
  return `import neo_magics

sagemaker = neo_magics.boto3_client("sagemaker", backend=${JSON.stringify(backend)})
sagemaker.create_compilation_job(
${members.join("\n")}
)`;
}

/** The request as a command of the aws cli. */
export function awsCommand(request: Record<string, unknown>): string {
  const json = JSON.stringify(request).replaceAll("'", `'"'"'`);
  return `aws sagemaker create-compilation-job --cli-input-json '${json}'`;
}

function quoted(word: string): string {
  return /\s/.test(word) ? JSON.stringify(word) : word;
}

function python(value: unknown): string {
  if (value === null || value === undefined) {
    return "None";
  }
  if (typeof value === "boolean") {
    return value ? "True" : "False";
  }
  if (Array.isArray(value)) {
    return `[${value.map(python).join(", ")}]`;
  }
  if (typeof value === "object") {
    const members = Object.entries(value).map(([key, inner]) => `${JSON.stringify(key)}: ${python(inner)}`);
    return `{${members.join(", ")}}`;
  }
  return JSON.stringify(value);
}
