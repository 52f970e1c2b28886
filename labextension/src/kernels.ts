/** Tells when the kernel of a notebook has gone, was gone before the notebook was opened, or is done with a panel. */
import type { INotebookTracker, NotebookPanel } from "@jupyterlab/notebook";
import type { Orphans } from "./orphans.ts";

const GONE: readonly string[] = ["restarting", "autorestarting", "dead", "terminating"];

export function mindKernels(tracker: INotebookTracker | null, orphans: Orphans): void {
  const mind = (panel: NotebookPanel): void => {
    const { sessionContext } = panel;
    sessionContext.statusChanged.connect((_context, status) => {
      if (GONE.includes(status)) {
        adopt(panel, orphans);
      }
    });
    sessionContext.kernelChanged.connect((_context, { oldValue }) => {
      if (oldValue) {
        adopt(panel, orphans);
      }
    });
    sessionContext.iopubMessage.connect((_context, { header, content }) => {
      if (header.msg_type === "comm_close") {
        closed(panel, orphans, (content as { comm_id: string }).comm_id);
      }
    });
    void opened(panel, orphans);
  };
  tracker?.forEach(mind);
  tracker?.widgetAdded.connect((_tracker, panel) => mind(panel));
}

/** A notebook that was saved with live panels: their widgets are where its kernel still has them. */
async function opened(panel: NotebookPanel, orphans: Orphans): Promise<void> {
  await panel.context.ready;
  await panel.sessionContext.ready;
  const kernel = panel.sessionContext.session?.kernel;
  const answer = await kernel?.requestCommInfo({ target_name: "jupyter.widget" });
  const comms = answer?.content.status === "ok" ? answer.content.comms : {};
  adopt(panel, orphans, (widget) => !(widget in comms));
}

/**
 * The kernel has closed a widget. Where it still stands in the notebook, that was opened after the panel was
 * shown: what the kernel sends to take its place finds only the outputs that JupyterLab has seen come.
 */
function closed(panel: NotebookPanel, orphans: Orphans, comm: string): void {
  adopt(panel, orphans, (widget) => widget === comm);
}

function adopt(panel: NotebookPanel, orphans: Orphans, dead?: (widget: string) => boolean): void {
  for (const { model } of panel.content.widgets) {
    if (model.outputs) {
      void orphans.adopt(model.outputs, dead);
    }
  }
}
