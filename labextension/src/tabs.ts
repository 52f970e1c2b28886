/** Tabs in the sense of ARIA: one panel is shown, arrows move between the tabs. */
import { element } from "./dom.ts";
import type { JobRow } from "./wire.ts";

/** One tab of a job's document. `show` runs when it comes into sight and when the job has changed. */
export interface Tab {
  readonly id: string;
  readonly title: string;
  readonly node: HTMLElement;
  show: (row: JobRow) => Promise<void>;
}

export class Tabs {
  readonly node: HTMLElement;
  /** What went wrong with the tab in sight; below the tabs, so that these do not move. */
  readonly problem = element("div", { class: "neo-problem", role: "alert", hidden: "" });
  readonly #tabs: readonly Tab[];
  readonly #buttons: HTMLButtonElement[];
  #current = 0;

  constructor(tabs: readonly Tab[], chosen: () => void) {
    this.#tabs = tabs;
    this.#buttons = tabs.map((tab, index) => {
      const made = element("button", { type: "button", role: "tab", class: "neo-tab" }, tab.title);
      made.addEventListener("click", () => {
        this.#choose(index);
        chosen();
      });
      return made;
    });
    const bar = element("div", { role: "tablist", class: "neo-tabs" }, ...this.#buttons);
    bar.addEventListener("keydown", (event) => this.#key(event));
    for (const tab of tabs) {
      tab.node.setAttribute("role", "tabpanel");
      tab.node.setAttribute("aria-label", tab.title);
    }
    this.node = element("div", { class: "neo-tabbed" }, bar, this.problem, ...tabs.map((tab) => tab.node));
    this.#choose(0);
  }

  get current(): Tab {
    return this.#tabs[this.#current] as Tab;
  }

  /** Bring the tab `id` into sight, if there is one. */
  choose(id: string): void {
    const index = this.#tabs.findIndex((tab) => tab.id === id);
    if (index >= 0 && index !== this.#current) {
      this.#buttons[index]?.click();
    }
  }

  #choose(index: number): void {
    this.#current = index;
    this.#buttons.forEach((made, at) => {
      made.setAttribute("aria-selected", String(at === index));
      made.tabIndex = at === index ? 0 : -1;
    });
    this.#tabs.forEach((tab, at) => {
      tab.node.hidden = at !== index;
    });
  }

  #key(event: KeyboardEvent): void {
    const count = this.#buttons.length;
    const [before, after] = [this.#current + count - 1, this.#current + 1];
    const next = { ArrowRight: after, ArrowLeft: before, Home: 0, End: count - 1 }[event.key];
    if (next !== undefined) {
      const chosen = this.#buttons[next % count];
      chosen?.focus();
      chosen?.click();
      event.preventDefault();
    }
  }
}
