/** How things are said and drawn: the words, marks and accents of the notebook's panels. */
import type { JobRow, Status } from "./wire.ts";

interface Look {
  word: string;
  mark: string;
  accent: string;
}

export const LOOKS: Record<Status, Look> = {
  STARTING: { word: "Queued", mark: "○", accent: "neo-muted" },
  INPROGRESS: { word: "Compiling", mark: "●", accent: "neo-run" },
  COMPLETED: { word: "Completed", mark: "✓", accent: "neo-ok" },
  FAILED: { word: "Failed", mark: "✕", accent: "neo-bad" },
  STOPPING: { word: "Stopping", mark: "◌", accent: "neo-warn" },
  STOPPED: { word: "Stopped", mark: "■", accent: "neo-warn" },
};

const ENDED: readonly Status[] = ["COMPLETED", "FAILED", "STOPPED"];

export function hasEnded(row: JobRow): boolean {
  return ENDED.includes(row.status);
}

export function canStop(row: JobRow): boolean {
  return row.status === "STARTING" || row.status === "INPROGRESS";
}

/** A duration: 12 ms, 3.4 s, 1 min 20 s. */
export function seconds(value: number): string {
  if (value < 0.1) {
    return `${(value * 1000).toFixed(0)} ms`;
  }
  return value < 100 ? `${value.toFixed(1)} s` : `${Math.floor(value / 60)} min ${Math.floor(value % 60)} s`;
}

/** A running time in the room of a few characters: 0:07, 12:30. */
export function clock(value: number): string {
  return `${Math.floor(value / 60)}:${String(Math.floor(value % 60)).padStart(2, "0")}`;
}

/** How long ago, in one unit: now, 12 min, 3 h, 4 d. */
export function age(created: string, now: number): string {
  const passed = (now - Date.parse(created)) / 1000;
  for (const [unit, length] of [
    ["d", 86400],
    ["h", 3600],
    ["min", 60],
  ] as const) {
    if (passed >= length) {
      return `${Math.floor(passed / length)} ${unit}`;
    }
  }
  return "now";
}

/** A time as the reader's country writes it, to the minute. */
export function moment(iso: string): string {
  return new Date(iso).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/** A latency with three significant digits: 0.0312, 4.51, 178. */
export function milliseconds(value: number): string {
  return value < 100 ? String(Number(value.toPrecision(3))) : value.toFixed(0);
}

/** Bytes in powers of 1000: 812 B, 104 kB, 44.7 MB. */
export function size(count: number): string {
  let left = count;
  for (const unit of ["B", "kB", "MB"]) {
    if (left < 999.5) {
      return `${left.toFixed(unit === "B" || left >= 100 ? 0 : 1)} ${unit}`;
    }
    left /= 1000;
  }
  return `${left.toFixed(1)} GB`;
}

/** The target in the room of a row: of "LINUX_X86_64 (this CPU)" what stands in brackets. */
export function shortTarget(row: JobRow): string {
  return /\((.+)\)$/.exec(row.target)?.[1] ?? row.target;
}

/** What became of the job, or where it is, in the few characters that a row has. */
export function outcome(row: JobRow): string {
  if (row.status === "FAILED") {
    return row.reason.replace(/^\w+Error: (\w+: )?/, "") || "No reason was given.";
  }
  if (row.status === "COMPLETED" && row.before !== null && row.after !== null) {
    return `${milliseconds(row.before)} → ${milliseconds(row.after)} ms`;
  }
  if (row.status !== "INPROGRESS") {
    return LOOKS[row.status].word;
  }
  const counts = row.progress ? ` ${row.progress.done}/${row.progress.total}` : "";
  return row.stage ? `${row.stage}${counts}` : "Compiling";
}
