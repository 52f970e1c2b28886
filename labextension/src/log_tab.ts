/** The log: read on from where it stopped; follows its end unless the reader has scrolled away. */
import type { JobsClient } from "./client.ts";
import { button, element } from "./dom.ts";
import type { Tab } from "./tabs.ts";
import type { JobRow } from "./wire.ts";

const NEAR = 24; // pixels from the end that still count as the end

export class LogTab implements Tab {
  readonly id = "log";
  readonly title = "Log";
  readonly node: HTMLElement;
  readonly #client: JobsClient;
  readonly #lines = element("pre", { class: "neo-log", tabindex: "0", "aria-label": "Log" });
  readonly #empty = element("div", { class: "neo-muted" }, "Nothing was logged yet.");
  #token = "";
  #created = "";
  #busy = false;

  constructor(client: JobsClient, copy: (text: string) => void) {
    this.#client = client;
    const tools = element(
      "div",
      { class: "neo-tools" },
      button("Copy log", () => copy(this.#lines.textContent ?? "")),
    );
    this.node = element("div", { class: "neo-panel neo-log-panel" }, tools, this.#empty, this.#lines);
  }

  async show(row: JobRow): Promise<void> {
    if (this.#busy) {
      return;
    }
    this.#busy = true;
    try {
      await this.#read(row);
    } finally {
      this.#busy = false;
    }
  }

  async #read(row: JobRow): Promise<void> {
    if (row.created !== this.#created) {
      // The name is used again: another job's log.
      this.#created = row.created;
      this.#token = "";
      this.#lines.replaceChildren();
    }
    const following = this.#atEnd;
    let more = true;
    while (more) {
      const page = await this.#client.log(row.name, this.#token);
      more = page.lines.length > 0;
      this.#token = page.token;
      this.#lines.append(...page.lines.map(line));
    }
    this.#empty.hidden = this.#lines.childElementCount > 0;
    if (following) {
      this.#lines.scrollTop = this.#lines.scrollHeight;
    }
  }

  get #atEnd(): boolean {
    const { scrollHeight, scrollTop, clientHeight } = this.#lines;
    return scrollHeight - scrollTop - clientHeight < NEAR;
  }
}

function line([when, text]: [number, string]): HTMLElement {
  const time = element("time", {}, new Date(when).toTimeString().slice(0, 8));
  return element("div", {}, time, ` ${text}\n`);
}
