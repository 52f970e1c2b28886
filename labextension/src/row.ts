/** A job as two lines: state and name, target and outcome; a thin bar where work is counted. */
import { button, element, setText } from "./dom.ts";
import { ROW_CLASS } from "./names.ts";
import type { JobRow } from "./wire.ts";
import { age, canStop, clock, hasEnded, LOOKS, outcome, shortTarget } from "./words.ts";

export interface RowActions {
  open: (name: string) => void;
  stop: (name: string) => void;
}

export class RowView {
  readonly node: HTMLElement;
  readonly #mark = element("span", { class: "neo-mark", "aria-hidden": "true" });
  readonly #time = element("span", { class: "neo-time" });
  readonly #target = element("span", { class: "neo-target" });
  readonly #outcome = element("span", { class: "neo-outcome" });
  readonly #bar = element("i");
  readonly #track = element("div", { class: "neo-track", role: "progressbar" }, this.#bar);
  readonly #stop: HTMLButtonElement;

  constructor(name: string, actions: RowActions) {
    this.#stop = button("Stop", () => actions.stop(name), { tabindex: "-1", "aria-label": `Stop ${name}` });
    const first = element("div", { class: "neo-line" }, this.#mark, titled(name), this.#time, this.#stop);
    const second = element("div", { class: "neo-line neo-second" }, this.#target, this.#outcome);
    // A cell of a grid may hold a button, which an option of a list may not.
    const cell = element("div", { role: "gridcell" }, first, second, this.#track);
    this.node = element("div", { class: ROW_CLASS, role: "row", tabindex: "-1", "data-job": name }, cell);
    this.node.addEventListener("dblclick", () => actions.open(name));
  }

  /** Whether Tab reaches the row, and from there its button. */
  set reachable(is: boolean) {
    this.node.tabIndex = is ? 0 : -1;
    this.#stop.tabIndex = this.node.tabIndex;
  }

  /** Show `row` as it is at `now`, `elapsed` seconds after its creation. */
  update(row: JobRow, elapsed: number, now: number): void {
    const look = LOOKS[row.status];
    const ended = hasEnded(row);
    setText(this.#mark, look.mark);
    this.#mark.className = `neo-mark ${look.accent}`;
    // The name needs the room that the time of a running job would take beside Stop.
    setText(this.#time, ended ? age(row.created, now) : "");
    setText(this.#target, shortTarget(row));
    setText(this.#outcome, ended ? outcome(row) : `${outcome(row)} · ${clock(elapsed)}`);
    this.#outcome.className = `neo-outcome ${outcomeAccent(row)}`;
    this.#stop.hidden = !canStop(row);
    this.node.dataset.status = row.status;
    this.#progress(row, ended);
    this.node.title = [
      `${look.word}: ${row.name}`,
      `${row.framework} → ${row.target}`,
      row.verdict,
      row.reason,
      "Double-click to open.",
    ]
      .filter(Boolean)
      .join("\n");
    this.node.setAttribute("aria-label", `${row.name}, ${look.word}, ${row.target}, ${outcome(row)}`);
  }

  #progress(row: JobRow, ended: boolean): void {
    const progress = ended ? null : row.progress;
    this.#track.hidden = !progress?.total;
    if (progress?.total) {
      this.#bar.style.width = `${Math.min(100, (100 * progress.done) / progress.total)}%`;
      this.#track.setAttribute("aria-label", `${row.stage} ${progress.unit}`.trim());
      this.#track.setAttribute("aria-valuemax", String(progress.total));
      this.#track.setAttribute("aria-valuenow", String(progress.done));
    }
  }
}

const TAIL = 5; // characters that tell jobs of one model apart

/** The name, shortened before its tail where it is too long. */
function titled(name: string): HTMLElement {
  const start = element("span", { class: "neo-title-start" }, name.slice(0, -TAIL));
  return element("span", { class: "neo-title" }, start, element("span", {}, name.slice(-TAIL)));
}

function outcomeAccent(row: JobRow): string {
  if (row.status === "FAILED") {
    return "neo-bad";
  }
  if (row.status !== "COMPLETED" || row.before === null || row.after === null) {
    return "";
  }
  return row.verdict.includes("faster") ? "neo-ok" : row.verdict.includes("slower") ? "neo-bad" : "";
}
