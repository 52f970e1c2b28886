/** Tells when the kernel of a notebook has gone, or was gone before the notebook was opened. */
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
  adopt(panel, orphans, new Set(Object.keys(comms)));
}

function adopt(panel: NotebookPanel, orphans: Orphans, living: ReadonlySet<string> = new Set()): void {
  for (const { model } of panel.content.widgets) {
    if (model.outputs) {
      void orphans.adopt(model.outputs, living);
    }
  }
}
