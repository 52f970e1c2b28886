import assert from "node:assert/strict";
import { test } from "node:test";
import { Filters } from "../src/filters.ts";
import { JobsModel } from "../src/model.ts";
import "./page.ts"; // first: it makes the page
import { job } from "./sample.ts";

function counted(next: string) {
  const model = new JobsModel();
  model.receive({ jobs: [job(), job({ name: "b", status: "COMPLETED" })], next });
  const filters = new Filters(model);
  filters.update();
  const groups = [...filters.node.querySelectorAll<HTMLElement>(".neo-group")];
  return { filters, groups, model };
}

const texts = (nodes: HTMLElement[]) => nodes.map((node) => node.textContent);
const labels = (nodes: HTMLElement[]) => nodes.map((node) => node.getAttribute("aria-label"));

test("where all jobs are known the counts are of all", () => {
  const { filters, groups } = counted("");
  assert.deepEqual(texts(groups), ["All2", "●1", "✓1", "✕0"]);
  assert.equal(labels(groups)[3], "Failed or stopped: 0");
  assert.equal(filters.node.querySelector<HTMLElement>(".neo-counted")?.hidden, true);
});

test("where older jobs are not loaded it says what was counted", () => {
  const { filters, groups, model } = counted("token");
  assert.deepEqual(texts(groups), ["All2+", "●1", "✓1", "✕0"]);
  assert.equal(labels(groups)[0], "All: 2+");
  assert.equal(labels(groups)[3], "Failed or stopped: 0 of the newest 2 jobs");
  assert.equal(filters.node.querySelector(".neo-counted")?.textContent, "of the newest 2 jobs");
  model.append({ jobs: [job({ name: "c", status: "FAILED" })], next: "" });
  filters.update();
  assert.deepEqual(texts(groups), ["All3", "●1", "✓1", "✕1"]);
  assert.equal(filters.node.querySelector<HTMLElement>(".neo-counted")?.hidden, true);
});
