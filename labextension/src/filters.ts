/** The search field, and the groups as buttons with a shape and a count of the jobs that are known. */
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
  readonly #groups = new Map<Group, { node: HTMLButtonElement; count: HTMLElement; label: string }>();
  readonly #of = element("div", { class: "neo-counted neo-muted" });

  constructor(model: JobsModel) {
    this.#model = model;
    this.#search.addEventListener("input", () => {
      model.search = this.#search.value.trim();
    });
    const groups = GROUPS.map((group) => this.#group(...group));
    const bar = element("div", { class: "neo-groups", role: "group", "aria-label": "Which jobs" }, ...groups);
    this.node = element("div", { class: "neo-filters" }, this.#search, bar, this.#of);
  }

  update(): void {
    if (!this.#model.search && document.activeElement !== this.#search) {
      this.#search.value = "";
    }
    const known = this.#model.count("all");
    const of = this.#model.next ? `of the newest ${known} jobs` : "";
    setText(this.#of, of);
    this.#of.hidden = !of;
    for (const [group, { node, count, label }] of this.#groups) {
      const all = group === "all";
      const number = all && of ? `${known}+` : String(this.#model.count(group));
      const words = `${label}: ${number} ${all ? "" : of}`.trim();
      setText(count, number);
      node.title = words;
      node.setAttribute("aria-label", words);
      node.setAttribute("aria-pressed", String(group === this.#model.group));
    }
  }

  #group(group: Group, mark: string, label: string, accent: string): HTMLButtonElement {
    const count = element("span", { class: "neo-count" });
    const sign = mark
      ? element("span", { class: accent, "aria-hidden": "true" }, mark)
      : element("span", {}, label);
    const node = element("button", { type: "button", class: "neo-group", "data-group": group }, sign, count);
    node.addEventListener("click", () => {
      this.#model.group = group;
    });
    this.#groups.set(group, { node, count, label });
    return node;
  }
}
