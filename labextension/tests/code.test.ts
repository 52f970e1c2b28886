import assert from "node:assert/strict";
import { test } from "node:test";
import { compileLine, loadCell } from "../src/code.ts";

test("a cell that loads a job names another backend only", () => {
  assert.match(loadCell("net-1", ""), /Job\.open\("net-1"\)\ncompiled = job\.load\(\)$/);
  assert.match(loadCell("net-1", "sagemaker"), /Job\.open\("net-1", backend="sagemaker"\)/);
});

test("the line of the form", () => {
  const choice = { model: " net ", target: "rasp4b", input: "x", dtype: "", calibrate: "", backend: "" };
  assert.equal(compileLine(choice), "%compile net --target rasp4b --input x -o job");
  assert.equal(
    compileLine({ ...choice, input: "", backend: "sagemaker" }),
    "%compile net --target rasp4b --backend sagemaker -o job",
  );
  assert.match(compileLine({ ...choice, input: "(x, y)" }), /--input "\(x, y\)"/);
});

test("only int8 takes calibration inputs", () => {
  const choice = { model: "net", target: "local", input: "", dtype: "bf16", calibrate: "data", backend: "" };
  assert.equal(compileLine(choice), "%compile net --target local --dtype bf16 -o job");
  assert.match(compileLine({ ...choice, dtype: "int8" }), /--dtype int8 --calibrate data -o job$/);
});
