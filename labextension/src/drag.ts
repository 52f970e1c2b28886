/** Drags a job out of the list: a notebook that it is dropped on gets a cell that loads it. */
import { MimeData } from "@lumino/coreutils";
import { Drag } from "@lumino/dragdrop";
import { element } from "./dom.ts";

const CELLS = "application/vnd.jupyter.cells";

export function dragCell(name: string, source: string, event: PointerEvent): void {
  const mimeData = new MimeData();
  const cell = { cell_type: "code", source, metadata: {}, outputs: [], execution_count: null };
  mimeData.setData(CELLS, [cell]);
  mimeData.setData("text/plain", source);
  const drag = new Drag({
    mimeData,
    dragImage: element("div", { class: "neo-drag" }, name),
    proposedAction: "copy",
    supportedActions: "copy",
  });
  void drag.start(event.clientX, event.clientY).then(() => drag.dispose());
}
