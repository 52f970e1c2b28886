/** The request that created the job, and the same request as a cell, for boto3 and for the aws cli. */
import type { JobsClient } from "./client.ts";
import { button, copyButton, element, setText } from "./dom.ts";
import type { Tab } from "./tabs.ts";
import type { JobRow } from "./wire.ts";

export class RequestTab implements Tab {
  readonly id = "request";
  readonly title = "Request";
  readonly node: HTMLElement;
  readonly #client: JobsClient;
  readonly #choices = element("div", { class: "neo-choices", role: "group", "aria-label": "Show as" });
  readonly #text = element("pre", {
    class: "neo-code",
    tabindex: "0",
    role: "group",
    "aria-label": "Request",
  });
  #texts: Record<string, string> = {};
  #chosen = "";

  constructor(client: JobsClient, copy: (text: string) => void) {
    this.#client = client;
    const copying = copyButton("Copy", () => this.#texts[this.#chosen] ?? "", copy);
    const tools = element("div", { class: "neo-tools" }, this.#choices, copying);
    this.node = element("div", { class: "neo-panel" }, tools, this.#text);
  }

  async show(row: JobRow): Promise<void> {
    this.#texts = (await this.#client.job(row.name)).texts;
    const names = Object.keys(this.#texts);
    if (names.length !== this.#choices.childElementCount) {
      this.#choices.replaceChildren(...names.map((name) => button(name, () => this.#choose(name))));
    }
    this.#choose(this.#chosen || (names[0] ?? ""));
  }

  #choose(name: string): void {
    this.#chosen = name;
    for (const made of this.#choices.children) {
      made.setAttribute("aria-pressed", String(made.textContent === name));
    }
    setText(this.#text, this.#texts[name] ?? "");
  }
}
