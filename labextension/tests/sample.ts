import type { JobRow } from "../src/wire.ts";

/** A row with the given parts; the others are those of a job that compiles. */
export function job(parts: Partial<JobRow> = {}): JobRow {
  return {
    name: "net-1",
    status: "INPROGRESS",
    framework: "PYTORCH",
    target: "LINUX_X86_64",
    created: "2026-11-23T10:00:00+00:00",
    modified: "2026-11-23T10:00:01+00:00",
    elapsed: 3,
    stage: "build",
    progress: null,
    reason: "",
    before: null,
    after: null,
    verdict: "",
    ...parts,
  };
}
