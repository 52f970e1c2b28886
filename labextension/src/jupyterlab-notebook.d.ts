/**
 * The little of @jupyterlab/notebook that is used. The package itself would bring a hundred others for its
 * types alone; at run time JupyterLab lends it.
 */
declare module "@jupyterlab/notebook" {
  import type { ISessionContext } from "@jupyterlab/apputils";
  import type { Token } from "@lumino/coreutils";
  import type { ISignal } from "@lumino/signaling";
  import type { Widget } from "@lumino/widgets";
  import type { Outputs } from "./orphans.ts";

  interface Cell {
    /** Only code cells have outputs. */
    model: { sharedModel: { source: string }; outputs?: Outputs };
  }

  interface Notebook extends Widget {
    activeCell: Cell | null;
    widgets: readonly Cell[];
  }

  export interface NotebookPanel extends Widget {
    content: Notebook;
    context: { ready: Promise<void> };
    sessionContext: ISessionContext;
  }

  export interface INotebookTracker {
    readonly currentWidget: NotebookPanel | null;
    readonly currentChanged: ISignal<INotebookTracker, NotebookPanel | null>;
    readonly widgetAdded: ISignal<INotebookTracker, NotebookPanel>;
    forEach: (act: (panel: NotebookPanel) => void) => void;
  }

  export const INotebookTracker: Token<INotebookTracker>;

  export const NotebookActions: {
    insertBelow: (notebook: Notebook) => void;
    run: (notebook: Notebook, sessionContext: unknown) => Promise<boolean>;
  };
}
