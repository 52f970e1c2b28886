import assert from "node:assert/strict";
import { test } from "node:test";
import { JobsModel } from "../src/model.ts";
import { job } from "./sample.ts";

const old = job({ name: "old", created: "2026-11-23T09:00:00+00:00", status: "COMPLETED" });
const failed = job({
  name: "broken",
  created: "2026-11-23T09:30:00+00:00",
  status: "FAILED",
  target: "ml_c5",
});
const names = (model: JobsModel) => model.shown.map((row) => row.name);

test("newest first, narrowed by words and groups", () => {
  const model = new JobsModel();
  model.receive({ jobs: [old, job(), failed], next: "" });
  assert.deepEqual(names(model), ["net-1", "broken", "old"]);
  model.search = "ML_c5 bro";
  assert.deepEqual(names(model), ["broken"]);
  model.search = "";
  model.group = "done";
  assert.deepEqual(names(model), ["old"]);
  assert.deepEqual(
    (["all", "running", "done", "failed"] as const).map((group) => model.count(group)),
    [3, 1, 1, 1],
  );
});

test("changes and deletions come one by one", () => {
  const model = new JobsModel();
  model.receive({ jobs: [old], next: "" });
  model.receive({ changed: [job()], deleted: ["old"] });
  assert.deepEqual(names(model), ["net-1"]);
});

test("a new first page keeps the older pages that were asked for", () => {
  const model = new JobsModel();
  model.receive({ jobs: [job(), failed], next: "t" });
  model.append({ jobs: [old], next: "" });
  model.receive({ jobs: [job()], next: "t" });
  assert.deepEqual(names(model), ["net-1", "broken", "old"]);
  model.receive({ jobs: [job()], next: "" });
  assert.deepEqual(names(model), ["net-1"]);
});

test("an end is told once, and only of a job that was seen running", () => {
  const model = new JobsModel();
  const ends: string[] = [];
  model.ended.connect((_model, row) => {
    ends.push(row.name);
  });
  model.receive({ jobs: [old, job()], next: "" });
  const done = job({ status: "COMPLETED" });
  model.receive({ changed: [done], deleted: [] });
  model.receive({ changed: [done], deleted: [] });
  assert.deepEqual(ends, ["net-1"]);
});

test("running jobs grow older by the page's own clock", () => {
  let now = 1_000;
  const model = new JobsModel(() => now);
  model.receive({ jobs: [job(), old], next: "" });
  now = 3_500;
  assert.equal(model.elapsed(job()), 5.5);
  assert.equal(model.elapsed(old), 3);
});

test("a row that was fetched later than the list is not counted twice", () => {
  let now = 1_000;
  const model = new JobsModel(() => now);
  model.receive({ jobs: [job({ elapsed: 3 })], next: "" });
  now = 61_000;
  assert.equal(model.elapsed(job({ elapsed: 63 })), 63);
  assert.equal(model.elapsed(job({ elapsed: 5, created: "2026-11-23T12:00:00+00:00" })), 5);
});

test("an error is kept until the next news", () => {
  const model = new JobsModel();
  model.receive({ error: { message: "No.", hint: "" } });
  assert.equal(model.error?.message, "No.");
  model.receive({ jobs: [], next: "" });
  assert.equal(model.error, null);
});
