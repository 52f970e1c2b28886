import assert from "node:assert/strict";
import { test } from "node:test";
import "./page.ts"; // first: it makes the page
import type { JobsClient } from "../src/client.ts";
import { LogTab } from "../src/log_tab.ts";
import { RequestTab } from "../src/request_tab.ts";
import type { LogPage } from "../src/wire.ts";
import { job } from "./sample.ts";

const press = (node: HTMLElement, label: string) =>
  [...node.querySelectorAll("button")].find((made) => made.textContent === label)?.click();
const settled = () => new Promise((done) => setTimeout(done, 0));

function logOf(pages: string[][]) {
  const log = async (_name: string, after: string): Promise<LogPage> => {
    const at = Number(after || "0");
    const lines = (pages[at] ?? []).map((text): [number, string] => [0, text]);
    return { lines, token: String(at + (lines.length ? 1 : 0)) };
  };
  return { log } as unknown as JobsClient;
}

test("a paused log stays as it is; following again reads what came in", async () => {
  const pages = [["first"]];
  const tab = new LogTab(logOf(pages), () => undefined);
  await tab.show(job());
  press(tab.node, "Pause");
  pages.push(["second"]);
  await tab.show(job());
  assert.doesNotMatch(tab.node.textContent ?? "", /second/);
  press(tab.node, "Follow");
  await settled();
  assert.match(tab.node.textContent ?? "", /first[\s\S]*second/);
});

test("a paused log lets another job of the same name in", async () => {
  const pages = [["first"]];
  const tab = new LogTab(logOf(pages), () => undefined);
  await tab.show(job());
  press(tab.node, "Pause");
  pages[0] = ["of another"];
  await tab.show(job({ created: "2026-11-23T12:00:00+00:00" }));
  assert.match(tab.node.textContent ?? "", /of another/);
});

test("of a very long log the end is shown, and all of it is copied", async () => {
  const copied: string[] = [];
  const page = (first: number) => Array.from({ length: 4000 }, (_, i) => `line ${first + i}.`);
  const pages = [page(0), page(4000)];
  const tab = new LogTab(logOf(pages), (text) => copied.push(text));
  await tab.show(job({ status: "COMPLETED" }));
  const shown = tab.node.querySelectorAll(".neo-log div");
  assert.equal(shown.length, 5000);
  assert.match(shown[0]?.textContent ?? "", /line 3000\./);
  assert.match(tab.node.textContent ?? "", /… 3,000 earlier lines/);
  assert.doesNotMatch(tab.node.textContent ?? "", /Nothing was logged/);
  press(tab.node, "Copy log");
  assert.match(copied[0] ?? "", /line 0\.[\s\S]*line 2999\.[\s\S]*line 7999\./);
  assert.equal(copied[0]?.trim().split("\n").length, 8000);
});

test("the request is shown and copied in the chosen tongue", async () => {
  const copied: string[] = [];
  const texts = { JSON: "{}", "%%compile": "%%compile --target ml_c5\nmodel" };
  const client = { job: async () => ({ texts }) } as unknown as JobsClient;
  const tab = new RequestTab(client, (text) => copied.push(text));
  await tab.show(job());
  press(tab.node, "%%compile");
  assert.equal(tab.node.querySelector("pre")?.textContent, texts["%%compile"]);
  await tab.show(job({ status: "COMPLETED" }));
  press(tab.node, "Copy");
  assert.deepEqual(copied, [texts["%%compile"]]);
  assert.equal(tab.node.querySelector('[aria-pressed="true"]')?.textContent, "%%compile");
});
