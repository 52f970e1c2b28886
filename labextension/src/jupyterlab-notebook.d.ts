/**
 * The little of @jupyterlab/notebook that is used. The package itself would bring a hundred others for its
 * types alone; at run time JupyterLab lends it.
 */
declare module "@jupyterlab/notebook" {
  import type { Token } from "@lumino/coreutils";
  import type { ISignal } from "@lumino/signaling";
  import type { Widget } from "@lumino/widgets";

  interface Cell {
    model: { sharedModel: { source: string } };
  }

  interface Notebook extends Widget {
    activeCell: Cell | null;
    widgets: readonly Cell[];
  }

  export interface NotebookPanel extends Widget {
    content: Notebook;
    sessionContext: unknown;
  }

  export interface INotebookTracker {
    readonly currentWidget: NotebookPanel | null;
    readonly currentChanged: ISignal<INotebookTracker, NotebookPanel | null>;
  }

  export const INotebookTracker: Token<INotebookTracker>;

  export const NotebookActions: {
    insertBelow: (notebook: Notebook) => void;
    run: (notebook: Notebook, sessionContext: unknown) => Promise<boolean>;
  };
}
