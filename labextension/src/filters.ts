/** The search field, and the groups as buttons with a shape and a count. */
import { element, setText } from "./dom.ts";
import type { Group, JobsModel } from "./model.ts";

const GROUPS: readonly [Group, string, string, string][] = [
  ["all", "", "All", ""],
  ["running", "●", "Running", "neo-run"],
  ["done", "✓", "Completed", "neo-ok"],
  ["failed", "✕", "Failed or stopped", "neo-bad"],
];

export class Filters {
  readonly node: HTMLElement;
  readonly #model: JobsModel;
  readonly #search = element("input", {
    type: "search",
    class: "neo-search",
    placeholder: "Search jobs",
    "aria-label": "Search jobs by name, target or status",
  });
  readonly #groups = new Map<Group, { node: HTMLButtonElement; count: HTMLElement }>();

  constructor(model: JobsModel) {
    this.#model = model;
    this.#search.addEventListener("input", () => {
      model.search = this.#search.value.trim();
    });
    const groups = GROUPS.map((group) => this.#group(...group));
    const bar = element("div", { class: "neo-groups", role: "group", "aria-label": "Which jobs" }, ...groups);
    this.node = element("div", { class: "neo-filters" }, this.#search, bar);
  }

  update(): void {
    if (!this.#model.search && document.activeElement !== this.#search) {
      this.#search.value = "";
    }
    for (const [group, { node, count }] of this.#groups) {
      setText(count, `${this.#model.count(group)}${this.#model.next ? "+" : ""}`);
      node.setAttribute("aria-pressed", String(group === this.#model.group));
    }
  }

  #group(group: Group, mark: string, label: string, accent: string): HTMLButtonElement {
    const count = element("span", { class: "neo-count" });
    const sign = mark
      ? element("span", { class: accent, "aria-hidden": "true" }, mark)
      : element("span", {}, label);
    const node = element(
      "button",
      { type: "button", class: "neo-group", title: label, "aria-label": label },
      sign,
      count,
    );
    node.addEventListener("click", () => {
      this.#model.group = group;
    });
    this.#groups.set(group, { node, count });
    return node;
  }
}
