/** The log: read on from where it stopped; follows its end unless paused or the reader has scrolled away. */
import type { JobsClient } from "./client.ts";
import { button, copyButton, element, setText } from "./dom.ts";
import type { Tab } from "./tabs.ts";
import type { JobRow } from "./wire.ts";
import { hasEnded } from "./words.ts";

const NEAR = 24; // pixels from the end that still count as the end
const NOTHING = "Nothing was logged yet.";
const SHOWN = 5000; // lines: a page with very many is slow

export class LogTab implements Tab {
  readonly id = "log";
  readonly title = "Log";
  readonly node: HTMLElement;
  readonly #client: JobsClient;
  readonly #lines = element("pre", { class: "neo-log", tabindex: "0", role: "group", "aria-label": "Log" });
  readonly #pause = button("Pause", () => this.#toggle(), { "aria-pressed": "false", hidden: "" });
  readonly #note = element("div", { class: "neo-muted" }, NOTHING);
  #earlier: string[] = []; // lines that are no longer shown
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
      copyButton("Copy log", () => this.#earlier.join("") + this.#lines.textContent, copy),
    );
    this.node = element("div", { class: "neo-panel neo-log-panel" }, tools, this.#note, this.#lines);
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
      this.#earlier = [];
      this.#lines.replaceChildren();
    }
    let more = true;
    while (more) {
      const page = await this.#client.log(row.name, this.#token);
      more = page.lines.length > 0;
      this.#token = page.token;
      this.#add(page.lines);
    }
  }

  #add(lines: [number, string][]): void {
    const following = this.#atEnd;
    this.#lines.append(...lines.map(line));
    const extra = following ? Math.max(0, this.#lines.childElementCount - SHOWN) : 0;
    for (const old of [...this.#lines.children].slice(0, extra)) {
      this.#earlier.push(old.textContent ?? "");
      old.remove();
    }
    const { length } = this.#earlier;
    this.#note.hidden = length === 0 && this.#lines.childElementCount > 0;
    setText(
      this.#note,
      length ? `… ${length.toLocaleString("en")} earlier lines: “Copy log” has them.` : NOTHING,
    );
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
