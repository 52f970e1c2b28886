/** What the server sends; neo_magics/server/ has the same names. */

export type Status = "STARTING" | "INPROGRESS" | "COMPLETED" | "FAILED" | "STOPPING" | "STOPPED";

export interface Progress {
  done: number;
  total: number;
  unit: string;
}

/** A job of the list. Latencies are medians in ms, `elapsed` seconds when the row was made. */
export interface JobRow {
  name: string;
  status: Status;
  framework: string;
  target: string;
  created: string;
  modified: string;
  elapsed: number;
  stage: string;
  progress: Progress | null;
  reason: string;
  before: number | null;
  after: number | null;
  verdict: string;
}

export interface Page {
  jobs: JobRow[];
  next: string;
}

export interface Refusal {
  message: string;
  hint: string;
}

/** A message of the stream: the whole first page, what changed in it, or why there is none. */
export type Message = Page | { changed: JobRow[]; deleted: string[] } | { error: Refusal };

export interface JobAnswer {
  job: JobRow;
  request: Record<string, unknown>;
  /** The request in each tongue: JSON, %%compile, boto3, aws cli. */
  texts: Record<string, string>;
  backend: string;
}

export interface LogPage {
  lines: [when: number, text: string][];
  token: string;
}

export interface ArtifactAnswer {
  uri: string;
  size: number;
  files: { name: string; size: number }[];
  manifest: Record<string, unknown> | null;
}

/** A choice of the "Compile…" form: a target or a dtype. */
export interface Choice {
  name: string;
  about: string;
}

export interface Choices {
  targets: Choice[];
  dtypes: Choice[];
}
