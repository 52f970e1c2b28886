/** Tabs whose content the server draws: the notebook's own panel and comparison. */
import { element } from "./dom.ts";
import type { Tab } from "./tabs.ts";
import type { JobRow } from "./wire.ts";

export interface HtmlTabOptions {
  id: string;
  title: string;
  /** The server's markup; it escapes all that it did not write itself. */
  fetch: (name: string) => Promise<{ html: string }>;
  /** What to say where there is nothing to draw. */
  empty: (row: JobRow) => string;
}

export class HtmlTab implements Tab {
  readonly id: string;
  readonly title: string;
  readonly node = element("div", { class: "neo-panel" });
  readonly #options: HtmlTabOptions;
  #html = "";

  constructor(options: HtmlTabOptions) {
    this.id = options.id;
    this.title = options.title;
    this.#options = options;
  }

  async show(row: JobRow): Promise<void> {
    const { html } = await this.#options.fetch(row.name);
    if (!html) {
      this.node.replaceChildren(element("p", { class: "neo-muted" }, this.#options.empty(row)));
    } else if (html !== this.#html) {
      this.node.innerHTML = html;
    }
    this.#html = html;
  }
}
