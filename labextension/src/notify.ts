/** Says that a job has ended, where the user does not see it anyway. */
import type { JobsModel } from "./model.ts";
import type { JobRow } from "./wire.ts";

export interface NotifyOptions {
  model: JobsModel;
  wanted: () => boolean;
  /** Whether the job is in sight: its document, its panel, or the list. */
  seen: (name: string) => boolean;
  say: (text: string, kind: "success" | "error" | "warning", name: string) => void;
}

export function notifyOfEnds({ model, wanted, seen, say }: NotifyOptions): void {
  model.ended.connect((_model, row) => {
    if (wanted() && !seen(row.name)) {
      say(sentence(row), KINDS[row.status] ?? "warning", row.name);
    }
  });
}

/** Whether a panel of the job can be seen in a notebook. */
export function panelInSight(name: string): boolean {
  return [...document.querySelectorAll(".neo-magics .neo-job-name")].some((node) => {
    const { top, bottom } = node.getBoundingClientRect();
    return node.textContent === name && node.checkVisibility() && bottom > 0 && top < window.innerHeight;
  });
}

const KINDS: Partial<Record<JobRow["status"], "success" | "error">> = {
  COMPLETED: "success",
  FAILED: "error",
};
const LONGEST = 140; // characters that a notification shows

function sentence(row: JobRow): string {
  if (row.status === "FAILED") {
    const text = `${row.name} failed: ${row.reason || "no reason was given"}`;
    return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text;
  }
  return row.status === "COMPLETED" ? `${row.name} is compiled.` : `${row.name} was stopped.`;
}
