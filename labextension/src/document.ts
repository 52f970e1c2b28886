/** A job as a document of the main area: its state on top, below it the tabs. */
import type { Message as LuminoMessage } from "@lumino/messaging";
import { Widget } from "@lumino/widgets";
import { button, element, setText } from "./dom.ts";
import type { JobsModel } from "./model.ts";
import { wordsOf } from "./request.ts";
import { type Tab, Tabs } from "./tabs.ts";
import type { JobRow } from "./wire.ts";
import { canStop, hasEnded, LOOKS, moment, seconds } from "./words.ts";

export interface DocumentOptions {
  name: string;
  model: JobsModel;
  tabs: readonly Tab[];
  /** Asks for the job anew: it may be older than the list, or deleted. */
  find: (name: string) => Promise<JobRow>;
  stop: (name: string) => void;
  insert: (name: string) => void;
  /** Another tab was chosen. */
  chosen: () => void;
}

const LIVE_MS = 1_000;

export class JobDocument extends Widget {
  readonly name: string;
  readonly #options: DocumentOptions;
  readonly #tabs: Tabs;
  readonly #status = element("span", { class: "neo-status" });
  readonly #about = element("span", { class: "neo-muted" });
  readonly #time = element("span", { class: "neo-time" });
  readonly #created = element("span", { class: "neo-muted" });
  readonly #stop: HTMLButtonElement;
  readonly #insert: HTMLButtonElement;
  #row: JobRow | null = null;
  #inList: boolean;
  #timer = 0;
  /** Counts what was asked: an earlier answer does not hide what a later one said. */
  #turn = 0;

  constructor(options: DocumentOptions) {
    super({ node: element("div", { class: "neo-document neo-accents" }) });
    const { name } = options;
    this.name = name;
    this.#options = options;
    this.#inList = Boolean(options.model.row(name));
    this.#tabs = new Tabs(options.tabs, () => {
      options.chosen();
      this.#tabs.problem.hidden = true; // it was of another tab
      void this.#draw();
    });
    this.#stop = button("Stop…", () => options.stop(name), { hidden: "" });
    this.#insert = button("Insert cell that loads it", () => options.insert(name), { hidden: "" });
    const title = element("h2", {}, name);
    const words = element(
      "div",
      { class: "neo-about" },
      this.#status,
      this.#about,
      this.#time,
      this.#created,
    );
    const actions = element("div", { class: "neo-tools" }, this.#stop, this.#insert);
    const header = element(
      "div",
      { class: "neo-top" },
      element("div", { class: "neo-name" }, title, words),
      actions,
    );
    this.node.append(header, this.#tabs.node);
    options.model.changed.connect(this.#listed, this);
  }

  /** The tab in sight. */
  get tab(): string {
    return this.#tabs.current.id;
  }

  /** Bring the tab `id` into sight, if there is one. */
  choose(id: string): void {
    this.#tabs.choose(id);
  }

  override dispose(): void {
    window.clearInterval(this.#timer);
    this.#options.model.changed.disconnect(this.#listed, this);
    super.dispose();
  }

  /** The first document of an empty main area is in sight at once, and never shown. */
  protected override onAfterAttach(_message: LuminoMessage): void {
    if (this.isVisible) {
      this.#begin();
    }
  }

  protected override onAfterShow(_message: LuminoMessage): void {
    this.#begin();
  }

  protected override onBeforeHide(_message: LuminoMessage): void {
    window.clearInterval(this.#timer);
  }

  #begin(): void {
    window.clearInterval(this.#timer);
    this.#timer = window.setInterval(() => this.#tick(), LIVE_MS);
    void this.#load();
  }

  async #load(): Promise<void> {
    try {
      this.#row = await this.#options.find(this.name);
      await this.#draw();
    } catch (error) {
      this.#turn += 1;
      this.#say(error);
    }
  }

  /** The list has news of this job. */
  #listed(): void {
    const row = this.#options.model.row(this.name);
    const gone = this.#inList && !row;
    this.#inList = Boolean(row);
    if (gone) {
      void this.#load(); // which says so, if it was deleted
    }
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
    const tab = this.#tabs.current;
    this.#turn += 1;
    const turn = this.#turn;
    try {
      await tab.show(row);
      this.#tabs.problem.hidden = this.#tabs.problem.hidden || turn === this.#turn;
    } catch (error) {
      // What is no longer in sight has nothing to say.
      if (tab === this.#tabs.current && turn === this.#turn) {
        this.#say(error);
      }
    }
  }

  #head(row: JobRow): void {
    const look = LOOKS[row.status];
    setText(this.#status, `${look.mark} ${look.word}`);
    this.#status.className = `neo-status ${look.accent}`;
    setText(this.#about, `${row.framework} → ${row.target}`);
    const took = seconds(this.#options.model.elapsed(row));
    setText(this.#time, hasEnded(row) ? `took ${took}` : `${took} so far`);
    setText(this.#created, moment(row.created));
    this.#stop.hidden = !canStop(row);
    this.#insert.hidden = row.status !== "COMPLETED";
  }

  #say(error: unknown): void {
    const { message, hint } = wordsOf(error);
    setText(this.#tabs.problem, `${message} ${hint}`.trim());
    this.#tabs.problem.hidden = false;
  }
}
