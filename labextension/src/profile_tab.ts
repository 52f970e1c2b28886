/** Where the compilation's seconds went, stage by stage. */
import type { JobsClient } from "./client.ts";
import { element } from "./dom.ts";
import type { Tab } from "./tabs.ts";
import type { JobRow } from "./wire.ts";
import { seconds } from "./words.ts";

export class ProfileTab implements Tab {
  readonly id = "profile";
  readonly title = "Profile";
  readonly node = element("div", { class: "neo-panel" });
  readonly #client: JobsClient;

  constructor(client: JobsClient) {
    this.#client = client;
  }

  async show(row: JobRow): Promise<void> {
    const { stages } = await this.#client.profile(row.name);
    const entries = Object.entries(stages);
    const words = "The job reports at its end how long each stage took.";
    this.node.replaceChildren(entries.length ? bars(entries) : element("p", { class: "neo-muted" }, words));
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
