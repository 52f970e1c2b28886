import assert from "node:assert/strict";
import { test } from "node:test";
import "./page.ts"; // first: it makes the page
import { TabPanel, Widget } from "@lumino/widgets";
import { bring, place } from "../src/place.ts";

/** A shell whose main area holds at most `room` widgets, as Notebook 7's holds one. */
function shell(room: number, ...main: Widget[]) {
  const below = new TabPanel();
  return {
    main,
    below,
    add: (widget: Widget, area = "main") => {
      if (area === "down") {
        below.addWidget(widget);
      } else if (main.length < room) {
        main.push(widget);
      }
    },
    widgets: () => main.values(),
    activateById: (id: string) => main.find((widget) => widget.id === id)?.activate(),
  };
}

test("a document goes beside the others", () => {
  const lab = shell(9, new Widget());
  place(lab, new Widget());
  assert.deepEqual([lab.main.length, lab.below.widgets.length], [2, 0]);
});

test("where the main area takes one widget, documents go below and come to the front there", () => {
  const notebook = shell(1, new Widget());
  const jobs = [new Widget(), new Widget()] as const;
  for (const job of jobs) {
    place(notebook, job);
    bring(notebook, job);
    assert.equal(notebook.below.currentWidget, job);
  }
  bring(notebook, jobs[0]);
  assert.equal(notebook.below.currentWidget, jobs[0]);
});

test("a shell that keeps what is added for later is not asked twice", () => {
  const starting = shell(0);
  place(starting, new Widget());
  assert.deepEqual([starting.main.length, starting.below.widgets.length], [0, 0]);
});
