/** The left sidebar: filters, the list, and what to say when there is none. */
import type { Message as LuminoMessage } from "@lumino/messaging";
import { Widget } from "@lumino/widgets";
import { button, element } from "./dom.ts";
import { Filters } from "./filters.ts";
import { JobList } from "./list.ts";
import type { JobsModel } from "./model.ts";
import type { RowActions } from "./row.ts";

export interface SidebarOptions extends RowActions {
  model: JobsModel;
  /** Fetches the page of older jobs. */
  older: () => Promise<void>;
  retry: () => void;
  /** A row is being dragged out of the list. */
  drag: (name: string, event: PointerEvent) => void;
}

const TICK_MS = 1_000;
const ENOUGH = 20; // rows that a search shows before it stops fetching older jobs by itself
const FAR_BACK = 1_000; // jobs that a search looks at by itself

export class Sidebar extends Widget {
  readonly #options: SidebarOptions;
  readonly #filters: Filters;
  readonly #list: JobList;
  readonly #notice = element("div", { class: "neo-notice", role: "status" });
  readonly #older: HTMLButtonElement;
  #timer = 0;
  #fetching = false;
  #menuIsOpen = false;

  constructor(options: SidebarOptions) {
    super({ node: element("div", { class: "neo-sidebar neo-accents" }) });
    this.#options = options;
    this.#filters = new Filters(options.model);
    this.#list = new JobList(options.model, options);
    this.#older = button("Older jobs", () => void this.#fetch(), { class: "neo-button neo-older" });
    const scroll = element("div", { class: "neo-scroller" }, this.#list.node, this.#older);
    this.node.append(
      element("div", { class: "neo-heading" }, element("h2", {}, "Compilation jobs")),
      this.#filters.node,
      this.#notice,
      scroll,
    );
    options.model.changed.connect(() => this.update());
    dragging(this.#list.node, options.drag);
    this.#list.node.addEventListener("contextmenu", () => {
      this.#menuIsOpen = true;
    });
  }

  /** Lab's context menu closes: the focus that it took from a row goes back, unless what was chosen took it. */
  menuClosed(): void {
    if (this.#menuIsOpen) {
      this.#menuIsOpen = false;
      setTimeout(() => this.#list.takeFocus());
    }
  }

  protected override onAfterShow(_message: LuminoMessage): void {
    this.#timer = window.setInterval(() => this.#tick(), TICK_MS);
    this.update();
  }

  protected override onBeforeHide(_message: LuminoMessage): void {
    window.clearInterval(this.#timer);
  }

  protected override onUpdateRequest(_message: LuminoMessage): void {
    if (!this.isVisible) {
      return;
    }
    const { model } = this.#options;
    this.#filters.update();
    this.#list.update();
    this.#older.hidden = !model.next || model.error !== null;
    this.#say();
    if (this.#wantsOlder) {
      void this.#fetch();
    }
  }

  /** A search goes through older jobs too, and not only through those that are in the list already. */
  get #wantsOlder(): boolean {
    const { model } = this.#options;
    const searching = model.narrowed && model.next !== "" && !model.error;
    return searching && model.shown.length < ENOUGH && model.rows.length < FAR_BACK;
  }

  async #fetch(): Promise<void> {
    if (!this.#fetching) {
      this.#fetching = true;
      await this.#options.older();
      this.#fetching = false;
      this.update();
    }
  }

  /** Only the seconds of running jobs move by themselves. */
  #tick(): void {
    if (!document.hidden && this.#options.model.count("running")) {
      this.#list.update();
    }
  }

  #say(): void {
    const { model, retry } = this.#options;
    const said: (Node | string)[] = [];
    if (model.error) {
      const words = element("div", { class: "neo-problem" }, model.error.message);
      said.push(words, element("div", { class: "neo-muted" }, model.error.hint), button("Try again", retry));
    } else if (!model.loaded) {
      said.push(element("div", { class: "neo-muted" }, "Looking for jobs…"));
    } else if (!model.rows.length) {
      said.push(
        element("div", {}, "No jobs yet."),
        element(
          "div",
          { class: "neo-muted" },
          "Begin a cell that ends with your model with %%compile, or press Compile… above a notebook.",
        ),
      );
    } else if (!model.shown.length) {
      const everything = button("Show all", () => {
        model.search = "";
        model.group = "all";
      });
      const where = model.next ? ` among the newest ${model.rows.length}` : "";
      said.push(element("div", { class: "neo-muted" }, `No job matches${where}.`), everything);
    }
    this.#notice.replaceChildren(...said);
    this.#notice.hidden = !said.length;
  }
}

const FAR = 5; // pixels: less is a click

/** Calls `drag` once the pointer, pressed on a row, has moved away. */
function dragging(list: HTMLElement, drag: (name: string, event: PointerEvent) => void): void {
  let pressed: { name: string; x: number; y: number } | null = null;
  list.addEventListener("pointerdown", (event) => {
    const row = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-job]") : null;
    const onButton = event.target instanceof Element && event.target.closest("button");
    const name = row?.dataset.job;
    pressed = event.button === 0 && name && !onButton ? { name, x: event.clientX, y: event.clientY } : null;
  });
  list.addEventListener("pointermove", (event) => {
    const moved = pressed && Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) > FAR;
    if (pressed && moved && event.buttons === 1) {
      const { name } = pressed;
      pressed = null;
      drag(name, event);
    }
  });
  for (const end of ["pointerup", "pointercancel"]) {
    list.addEventListener(end, () => {
      pressed = null;
    });
  }
}
