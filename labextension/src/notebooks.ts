/** Cells put into the current notebook. */
import { type INotebookTracker, NotebookActions, type NotebookPanel } from "@jupyterlab/notebook";

export interface Notebooks {
  /** Put `source` below the selected cell of the notebook used last, and run it if wanted. */
  insert: (source: string, run: boolean) => boolean;
  /** Whether there is a notebook to put cells into. */
  readonly ready: boolean;
  /** Calls `act` when another notebook, or none, is the current one. */
  onChange: (act: () => void) => void;
  /** Whether a cell of that notebook holds `text`. */
  holds: (text: string) => boolean;
}

export function notebooks(tracker: INotebookTracker | null, activate: (id: string) => void): Notebooks {
  const current = (): NotebookPanel | null => tracker?.currentWidget ?? null;
  return {
    get ready() {
      return current() !== null;
    },
    onChange: (act) => void tracker?.currentChanged.connect(() => act()),
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
