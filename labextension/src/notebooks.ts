/** Cells put into the current notebook. */
import { type INotebookTracker, NotebookActions, type NotebookPanel } from "@jupyterlab/notebook";

export interface Notebooks {
  /** Put `source` below the selected cell of the notebook used last, and run it if wanted. */
  insert: (source: string, run: boolean) => boolean;
  /** Whether a cell of that notebook holds `text`. */
  holds: (text: string) => boolean;
}

export function notebooks(tracker: INotebookTracker | null, activate: (id: string) => void): Notebooks {
  const current = (): NotebookPanel | null => tracker?.currentWidget ?? null;
  return {
    insert: (source, run) => {
      const panel = current();
      if (!panel) {
        return false;
      }
      activate(panel.id);
      NotebookActions.insertBelow(panel.content);
      const cell = panel.content.activeCell;
      if (cell) {
        cell.model.sharedModel.source = source;
      }
      if (run) {
        void NotebookActions.run(panel.content, panel.sessionContext);
      }
      return true;
    },
    holds: (text) =>
      current()?.content.widgets.some((cell) => cell.model.sharedModel.source.includes(text)) ?? false,
  };
}
