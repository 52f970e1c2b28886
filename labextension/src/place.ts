/** Where a job's document goes: the main area, or below it where there is room for one thing only. */
import type { JupyterFrontEnd } from "@jupyterlab/application";
import { TabPanel, type Widget } from "@lumino/widgets";

export type Shell = Pick<JupyterFrontEnd.IShell, "add" | "widgets" | "activateById">;

/** Add `widget` to `shell`. Notebook 7 shows one notebook on a page, and drops what else comes to its main area. */
export function place(shell: Shell, widget: Widget): void {
  shell.add(widget, "main");
  const main = [...shell.widgets("main")];
  if (main.length && !main.includes(widget)) {
    widget.addClass("neo-below");
    shell.add(widget, "down");
  }
}

/** Bring `widget` to the front. Notebook 7 gives the focus to a hidden tab, and does not show it. */
export function bring(shell: Shell, widget: Widget): void {
  const tabs = widget.parent?.parent;
  if (tabs instanceof TabPanel) {
    tabs.currentWidget = widget;
  }
  shell.activateById(widget.id);
}
