import assert from "node:assert/strict";
import { test } from "node:test";
import { JobList } from "../src/list.ts";
import { JobsModel } from "../src/model.ts";
import { KeyboardEvent } from "./page.ts"; // first: it makes the page
import { job } from "./sample.ts";

function drawn() {
  const done: string[] = [];
  const model = new JobsModel();
  const actions = {
    open: (name: string) => void done.push(`open ${name}`),
    stop: (name: string) => void done.push(`stop ${name}`),
  };
  const list = new JobList(model, actions);
  document.body.replaceChildren(list.node);
  const rows = () => [...list.node.querySelectorAll<HTMLElement>(".neo-row")];
  return { done, list, model, rows };
}

test("a hostile name is text", () => {
  const { list, model, rows } = drawn();
  model.receive({ jobs: [job({ name: "<img src=x>" })], next: "" });
  list.update();
  assert.equal(rows()[0]?.querySelector(".neo-title")?.textContent, "<img src=x>");
  assert.equal(list.node.querySelector("img"), null);
});

test("rows survive an update, with focus and selection", () => {
  const { list, model, rows } = drawn();
  model.receive({ jobs: [job({ progress: { done: 1, total: 4, unit: "kernels" } })], next: "" });
  list.update();
  const [row] = rows();
  row?.focus();
  model.receive({ changed: [job({ name: "newer", created: "2026-11-23T11:00:00+00:00" })], deleted: [] });
  list.update();
  assert.equal(rows()[1], row);
  assert.equal(document.activeElement, row);
  assert.equal(row?.getAttribute("aria-selected"), "true");
  assert.equal(row?.querySelector(".neo-track")?.getAttribute("aria-valuenow"), "1");
});

test("keys open and move, the button stops a running job only", () => {
  const { done, list, model, rows } = drawn();
  const ended = job({ name: "b", created: "2026-11-23T09:00:00+00:00", status: "COMPLETED" });
  model.receive({ jobs: [job({ name: "a" }), ended], next: "" });
  list.update();
  rows()[0]?.focus();
  const press = (key: string) =>
    document.activeElement?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  press("End");
  press("Home");
  press("ArrowDown");
  press("Enter");
  press("ArrowDown"); // there is none below
  press("Home");
  assert.equal(document.activeElement, rows()[0]);
  const stops = rows().map((row) => row.querySelector("button"));
  assert.deepEqual(
    stops.map((stop) => stop?.hidden),
    [false, true],
  );
  assert.deepEqual(
    [...rows(), ...stops].map((node) => node?.tabIndex),
    [0, -1, 0, -1], // from the chosen row Tab goes on to its button
  );
  stops[0]?.click();
  assert.deepEqual(done, ["open b", "stop a"]);
});
