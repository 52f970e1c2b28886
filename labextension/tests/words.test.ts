import assert from "node:assert/strict";
import { test } from "node:test";
import { age, clock, milliseconds, outcome, seconds, shortTarget, size } from "../src/words.ts";
import { job } from "./sample.ts";

test("figures read as in the notebook's panels", () => {
  assert.deepEqual([0.012, 3.41, 80.04, 200].map(seconds), ["12 ms", "3.4 s", "80.0 s", "3 min 20 s"]);
  assert.deepEqual([0.03123, 4.512, 178.4].map(milliseconds), ["0.0312", "4.51", "178"]);
  assert.deepEqual([812, 104_000, 44_700_000, 2e9].map(size), ["812 B", "104 kB", "44.7 MB", "2.0 GB"]);
});

test("a running time takes little room", () => {
  assert.deepEqual([0.4, 7.9, 65, 754].map(clock), ["0:00", "0:07", "1:05", "12:34"]);
});

test("age is in one unit", () => {
  const now = Date.parse("2026-11-23T12:00:00Z");
  const ages = [
    "2026-11-23T11:59:40Z",
    "2026-11-23T11:48:00Z",
    "2026-11-23T09:00:00Z",
    "2026-11-19T12:00:00Z",
  ];
  assert.deepEqual(
    ages.map((created) => age(created, now)),
    ["now", "12 min", "3 h", "4 d"],
  );
});

test("a row names the target in short", () => {
  assert.equal(shortTarget(job({ target: "LINUX_X86_64 (this CPU)" })), "this CPU");
  assert.equal(shortTarget(job({ target: "ml_c5" })), "ml_c5");
});

test("the outcome is what a row has room for", () => {
  assert.equal(outcome(job({ progress: { done: 3, total: 12, unit: "kernels" } })), "build 3/12");
  assert.equal(outcome(job({ stage: "" })), "Compiling");
  assert.equal(outcome(job({ status: "STARTING" })), "Queued");
  assert.equal(outcome(job({ status: "COMPLETED" })), "Completed");
  assert.equal(outcome(job({ status: "COMPLETED", before: 9.8, after: 4.1 })), "9.8 → 4.1 ms");
  const reason = "ClientError: CompilationError: the operator Fancy is unknown.";
  assert.equal(outcome(job({ status: "FAILED", reason })), "the operator Fancy is unknown.");
});
