/** Where the compilation's seconds went, stage by stage; and, when asked for, a call's by kernel. */
import type { JobsClient } from "./client.ts";
import { button, element, setText } from "./dom.ts";
import { wordsOf } from "./request.ts";
import type { Tab } from "./tabs.ts";
import type { JobRow } from "./wire.ts";
import { hasEnded, seconds } from "./words.ts";

export class ProfileTab implements Tab {
  readonly id = "profile";
  readonly title = "Profile";
  readonly node: HTMLElement;
  readonly #client: JobsClient;
  readonly #stages = element("div");
  readonly #kernels = element("div");
  readonly #said = element("p", { class: "neo-muted", role: "status", hidden: "" });
  readonly #time: HTMLButtonElement;
  #name = "";

  constructor(client: JobsClient) {
    this.#client = client;
    this.#time = button("Time each kernel", () => void this.#measure());
    const tools = element("div", { class: "neo-tools" }, this.#time);
    this.node = element("div", { class: "neo-panel" }, tools, this.#said, this.#kernels, this.#stages);
  }

  async show(row: JobRow): Promise<void> {
    this.#name = row.name;
    this.#time.hidden = row.status !== "COMPLETED";
    const { stages } = await this.#client.profile(row.name);
    const entries = Object.entries(stages);
    const words = hasEnded(row)
      ? "This job ended before it could report how long each stage took. The overview shows those it reached."
      : "The job reports at its end how long each stage took.";
    this.#stages.replaceChildren(
      entries.length ? bars(entries) : element("p", { class: "neo-muted" }, words),
    );
  }

  async #measure(): Promise<void> {
    this.#time.disabled = true;
    this.#say("Timing each kernel, in a process of its own…");
    try {
      this.#kernels.innerHTML = (await this.#client.timeKernels(this.#name)).html;
      this.#say("");
    } catch (error) {
      const { message, hint } = wordsOf(error);
      this.#say(`${message} ${hint}`.trim());
    }
    this.#time.disabled = false;
  }

  #say(words: string): void {
    setText(this.#said, words);
    this.#said.hidden = !words;
  }
}

function bars(entries: [string, number][]): HTMLElement {
  const longest = Math.max(...entries.map(([, value]) => value)) || 1;
  const total = entries.reduce((sum, [, value]) => sum + value, 0);
  const rows = entries.map(([name, value]) => {
    const bar = element("i", { style: `width:${((100 * value) / longest).toFixed(1)}%` });
    const cells = [
      element("th", { scope: "row" }, name),
      element("td", { class: "neo-wide" }, element("div", { class: "neo-track" }, bar)),
      element("td", {}, seconds(value)),
      element("td", { class: "neo-muted" }, `${((100 * value) / (total || 1)).toFixed(0)} %`),
    ];
    return element("tr", {}, ...cells);
  });
  const caption = element("caption", {}, `Compilation, ${seconds(total)} in its stages`);
  return element("table", { class: "neo-bars" }, caption, element("tbody", {}, ...rows));
}
