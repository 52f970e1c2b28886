/** A job as a document of the main area: its state on top, below it the tabs. */
import type { Message as LuminoMessage } from "@lumino/messaging";
import { Widget } from "@lumino/widgets";
import { button, element, setText } from "./dom.ts";
import type { JobsModel } from "./model.ts";
import { wordsOf } from "./request.ts";
import { type Tab, Tabs } from "./tabs.ts";
import type { JobRow } from "./wire.ts";
import { canStop, hasEnded, LOOKS, seconds } from "./words.ts";

export interface DocumentOptions {
  name: string;
  model: JobsModel;
  tabs: readonly Tab[];
  /** Asks for the job anew: it may be older than the list, or deleted. */
  find: (name: string) => Promise<JobRow>;
  stop: (name: string) => void;
  insert: (name: string) => void;
}

const LIVE_MS = 1_000;

export class JobDocument extends Widget {
  readonly name: string;
  readonly #options: DocumentOptions;
  readonly #tabs: Tabs;
  readonly #status = element("span", { class: "neo-status" });
  readonly #about = element("span", { class: "neo-muted" });
  readonly #time = element("span", { class: "neo-time" });
  readonly #stop: HTMLButtonElement;
  readonly #insert: HTMLButtonElement;
  readonly #problem = element("div", { class: "neo-problem", role: "alert", hidden: "" });
  #row: JobRow | null = null;
  #timer = 0;

  constructor(options: DocumentOptions) {
    super({ node: element("div", { class: "neo-document neo-accents" }) });
    const { name } = options;
    this.name = name;
    this.#options = options;
    this.#tabs = new Tabs(options.tabs, () => void this.#draw());
    this.#stop = button("Stop", () => options.stop(name), { hidden: "" });
    this.#insert = button("Insert cell that loads it", () => options.insert(name), { hidden: "" });
    const title = element("h2", {}, name);
    const words = element("div", { class: "neo-about" }, this.#status, this.#about, this.#time);
    const actions = element("div", { class: "neo-tools" }, this.#stop, this.#insert);
    this.node.append(element("header", {}, title, words, actions), this.#problem, this.#tabs.node);
    options.model.changed.connect(this.#listed, this);
  }

  override dispose(): void {
    window.clearInterval(this.#timer);
    this.#options.model.changed.disconnect(this.#listed, this);
    super.dispose();
  }

  protected override onAfterShow(_message: LuminoMessage): void {
    window.clearInterval(this.#timer);
    this.#timer = window.setInterval(() => this.#tick(), LIVE_MS);
    void this.#load();
  }

  protected override onBeforeHide(_message: LuminoMessage): void {
    window.clearInterval(this.#timer);
  }

  async #load(): Promise<void> {
    try {
      this.#row = await this.#options.find(this.name);
      await this.#draw();
    } catch (error) {
      this.#say(error);
    }
  }

  /** The list has news of this job. */
  #listed(): void {
    const row = this.#options.model.row(this.name);
    if (row && row.modified !== this.#row?.modified) {
      this.#row = row;
      if (this.isVisible) {
        void this.#draw();
      }
    }
  }

  #tick(): void {
    if (this.#row && !hasEnded(this.#row) && !document.hidden) {
      this.#row = this.#options.model.row(this.name) ?? this.#row;
      void this.#draw();
    }
  }

  async #draw(): Promise<void> {
    const row = this.#row;
    if (!row) {
      return;
    }
    this.#head(row);
    try {
      await this.#tabs.current.show(row);
      this.#problem.hidden = true;
    } catch (error) {
      this.#say(error);
    }
  }

  #head(row: JobRow): void {
    const look = LOOKS[row.status];
    setText(this.#status, `${look.mark} ${look.word}`);
    this.#status.className = `neo-status ${look.accent}`;
    setText(this.#about, `${row.framework} → ${row.target}`);
    setText(this.#time, seconds(this.#options.model.elapsed(row)));
    this.#stop.hidden = !canStop(row);
    this.#insert.hidden = row.status !== "COMPLETED";
  }

  #say(error: unknown): void {
    const { message, hint } = wordsOf(error);
    setText(this.#problem, `${message} ${hint}`.trim());
    this.#problem.hidden = false;
  }
}
