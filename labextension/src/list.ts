/** The rows of the shown jobs: reused by name, so that focus, scrolling and a click survive an update. */
import { element } from "./dom.ts";
import type { JobsModel } from "./model.ts";
import { type RowActions, RowView } from "./row.ts";

export class JobList {
  readonly node = element("div", { class: "neo-list", role: "grid", "aria-label": "Compilation jobs" });
  readonly #model: JobsModel;
  readonly #actions: RowActions;
  readonly #views = new Map<string, RowView>();
  #selected = "";

  constructor(model: JobsModel, actions: RowActions) {
    this.#model = model;
    this.#actions = actions;
    this.node.addEventListener("keydown", (event) => this.#key(event));
    this.node.addEventListener("pointerdown", (event) => this.#select(nameAt(event.target)));
    this.node.addEventListener("focusin", (event) => this.#select(nameAt(event.target)));
  }

  update(now = Date.now()): void {
    const rows = this.#model.shown;
    const nodes = rows.map((row) => {
      const view = this.#view(row.name);
      view.update(row, this.#model.elapsed(row), now);
      return view.node;
    });
    if (
      nodes.length !== this.node.children.length ||
      nodes.some((node, i) => node !== this.node.children[i])
    ) {
      this.#arrange(nodes);
    }
    const known = new Set(this.#model.rows.map((row) => row.name));
    for (const name of this.#views.keys()) {
      if (!known.has(name)) {
        this.#views.delete(name);
      }
    }
    this.#rove();
  }

  #view(name: string): RowView {
    const view = this.#views.get(name) ?? new RowView(name, this.#actions);
    this.#views.set(name, view);
    return view;
  }

  /** Moving a focused node would take its focus. */
  #arrange(nodes: HTMLElement[]): void {
    const focused = document.activeElement;
    this.node.replaceChildren(...nodes);
    if (focused instanceof HTMLElement && nodes.some((node) => node.contains(focused))) {
      focused.focus({ preventScroll: true });
    }
  }

  /** Bring the focus to the selected row, if no other node has it. */
  takeFocus(): void {
    if (document.activeElement === document.body) {
      this.node.querySelector<HTMLElement>("[aria-selected='true']")?.focus();
    }
  }

  #select(name: string): void {
    if (name) {
      this.#selected = name;
      this.#rove();
    }
  }

  /** One row takes part in the Tab order: the selected one, else the first. */
  #rove(): void {
    const rows = [...this.node.children] as HTMLElement[];
    const chosen = rows.find((row) => row.dataset.job === this.#selected) ?? rows[0];
    for (const row of rows) {
      this.#view(row.dataset.job ?? "").reachable = row === chosen;
      row.setAttribute("aria-selected", String(row.dataset.job === this.#selected));
    }
  }

  #key(event: KeyboardEvent): void {
    const rows = [...this.node.children] as HTMLElement[];
    const at = rows.indexOf(document.activeElement as HTMLElement);
    const name = rows[at]?.dataset.job;
    if (!name) {
      return;
    }
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
    if (event.key === "Enter") {
      this.#actions.open(name);
    } else if (next !== undefined) {
      rows[next]?.focus();
    } else {
      return;
    }
    event.preventDefault();
  }
}

/** The name of the job whose row holds `target`, or "". */
export function nameAt(target: EventTarget | null): string {
  const row = target instanceof Element ? target.closest<HTMLElement>("[data-job]") : null;
  return row?.dataset.job ?? "";
}
