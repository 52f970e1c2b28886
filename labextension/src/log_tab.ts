/** The log: read on from where it stopped; follows its end unless paused or the reader has scrolled away. */
import type { JobsClient } from "./client.ts";
import { button, copyButton, element, setText } from "./dom.ts";
import type { Tab } from "./tabs.ts";
import type { JobRow } from "./wire.ts";
import { hasEnded } from "./words.ts";

const NEAR = 24; // pixels from the end that still count as the end

export class LogTab implements Tab {
  readonly id = "log";
  readonly title = "Log";
  readonly node: HTMLElement;
  readonly #client: JobsClient;
  readonly #lines = element("pre", { class: "neo-log", tabindex: "0", "aria-label": "Log" });
  readonly #pause = button("Pause", () => this.#toggle(), { "aria-pressed": "false", hidden: "" });
  readonly #empty = element("div", { class: "neo-muted" }, "Nothing was logged yet.");
  #token = "";
  #created = "";
  #busy = false;
  #paused = false;
  #row: JobRow | null = null;

  constructor(client: JobsClient, copy: (text: string) => void) {
    this.#client = client;
    const tools = element(
      "div",
      { class: "neo-tools" },
      this.#pause,
      copyButton("Copy log", () => this.#lines.textContent ?? "", copy),
    );
    this.node = element("div", { class: "neo-panel neo-log-panel" }, tools, this.#empty, this.#lines);
  }

  async show(row: JobRow): Promise<void> {
    const again = row.created !== this.#created;
    this.#row = row;
    this.#pause.hidden = hasEnded(row) && !this.#paused;
    if (this.#busy || (this.#paused && !again)) {
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

  /** What comes in while paused is read when the reader follows again. */
  #toggle(): void {
    this.#paused = !this.#paused;
    setText(this.#pause, this.#paused ? "Follow" : "Pause");
    this.#pause.setAttribute("aria-pressed", String(this.#paused));
    if (!this.#paused && this.#row) {
      this.#lines.scrollTop = this.#lines.scrollHeight;
      void this.show(this.#row);
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
