import assert from "node:assert/strict";
import { test } from "node:test";
import "./page.ts"; // first: it makes the page
import type { JobsClient } from "../src/client.ts";
import { JobsModel } from "../src/model.ts";
import { Orphans, type Outputs } from "../src/orphans.ts";
import type { JobRow } from "../src/wire.ts";
import { job } from "./sample.ts";

const WIDGET = "application/vnd.jupyter.widget-view+json";
const panel = (...names: string[]) =>
  `<div class="neo-magics">${names.map((name) => `<b class="neo-job-name">${name}</b>`).join("")}</div>`;
const live = (html: string, id = "1") => ({
  [WIDGET]: { model_id: id },
  "text/html": html,
  "text/plain": "queued",
});
const settled = () => new Promise((done) => setTimeout(done, 0));

function notebook(...data: Record<string, unknown>[]) {
  const outputs: Outputs = {
    get length() {
      return data.length;
    },
    get: (index) => ({ data: data[index] ?? {} }),
    set: (index, output) => {
      data[index] = output.data;
    },
  };
  return { data, outputs };
}

/** Jobs of a server: its answers, the model that its stream fills, and what was asked for. */
function server(...rows: JobRow[]) {
  const jobs = new Map(rows.map((row) => [row.name, row]));
  const asked: string[] = [];
  const known = (name: string): JobRow => {
    const row = jobs.get(name);
    if (!row) {
      throw new Error("There is no such job.");
    }
    return row;
  };
  const client = {
    job: async (name: string) => ({ job: known(name) }),
    panel: async (name: string) => {
      asked.push(name);
      return { html: `${panel(name)}${known(name).status}`, text: known(name).status };
    },
  } as unknown as JobsClient;
  const model = new JobsModel();
  const move = async (row: JobRow) => {
    jobs.set(row.name, row);
    model.receive({ changed: [row], deleted: [] });
    await settled();
  };
  return { asked, move, orphans: new Orphans({ client, model }) };
}

test("a dead panel is drawn by the server until its job has ended", async () => {
  const { asked, move, orphans } = server(job());
  const { data, outputs } = notebook({ "text/plain": "other" }, live(panel("net-1")));
  await orphans.adopt(outputs);
  assert.deepEqual(data[0], { "text/plain": "other" });
  assert.deepEqual(data[1], { "text/html": `${panel("net-1")}INPROGRESS`, "text/plain": "INPROGRESS" });
  await move(job({ progress: { done: 1, total: 2, unit: "kernels" } }));
  await move(job({ status: "COMPLETED" }));
  assert.equal(data[1]?.["text/plain"], "COMPLETED");
  const count = asked.length;
  await move(job({ status: "COMPLETED", verdict: "2 × faster" }));
  assert.equal(asked.length, count);
});

test("what a job does while its panel is drawn is drawn after it", async () => {
  const { move, orphans } = server(job());
  const { data, outputs } = notebook(live(panel("net-1")));
  await orphans.adopt(outputs);
  const moves = [move(job({ stage: "verify" })), move(job({ status: "COMPLETED" }))];
  await Promise.all(moves);
  await settled();
  assert.equal(data[0]?.["text/plain"], "COMPLETED");
});

test("a living panel is left alone, and so is what others show", async () => {
  const { asked, orphans } = server(job());
  const mine = live(panel("net-1"), "lives");
  const other = live("<p>another's widget</p>");
  const { data, outputs } = notebook(mine, other);
  await orphans.adopt(outputs, (widget) => widget !== "lives");
  assert.deepEqual(data, [mine, other]);
  assert.deepEqual(asked, []);
});

test("a panel of several jobs becomes a panel for each", async () => {
  const { orphans } = server(job({ name: "a" }), job({ name: "b" }));
  const { data, outputs } = notebook(live(panel("a", "b", "a")));
  await orphans.adopt(outputs);
  assert.equal(data[0]?.["text/plain"], "INPROGRESS\n\nINPROGRESS");
});

test("where the server has no such job, what the kernel left is shown", async () => {
  const { orphans } = server();
  const { data, outputs } = notebook(live(panel("gone")), live(panel()));
  await orphans.adopt(outputs);
  assert.deepEqual(data[0], { "text/html": panel("gone"), "text/plain": "queued" });
  assert.deepEqual(data[1], { "text/html": panel(), "text/plain": "queued" });
});

test("a cell that was run again is not drawn over", async () => {
  const { move, orphans } = server(job());
  const { data, outputs } = notebook(live(panel("net-1")));
  await orphans.adopt(outputs);
  data[0] = { "text/plain": "of the new run" };
  await move(job({ status: "COMPLETED" }));
  assert.deepEqual(data[0], { "text/plain": "of the new run" });
});
