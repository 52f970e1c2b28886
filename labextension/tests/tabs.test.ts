import assert from "node:assert/strict";
import { test } from "node:test";
import { copyButton, element } from "../src/dom.ts";
import { Tabs } from "../src/tabs.ts";
import { KeyboardEvent } from "./page.ts"; // first: it makes the page

const tab = (id: string) => ({ id, title: id, node: element("div"), show: async () => undefined });

test("a tab is chosen by its name; an unknown name changes nothing", () => {
  const seen: string[] = [];
  const tabs = new Tabs([tab("overview"), tab("log")], () => seen.push(tabs.current.id));
  tabs.choose("log");
  tabs.choose("nothing");
  tabs.choose("log");
  assert.deepEqual(seen, ["log"]);
  assert.equal(tabs.node.querySelector('[aria-selected="true"]')?.textContent, "log");
});

test("arrows go round the tabs, Home and End to their ends", () => {
  const tabs = new Tabs([tab("a"), tab("b"), tab("c")], () => undefined);
  document.body.replaceChildren(tabs.node);
  const press = (key: string) => {
    tabs.node.querySelector('[role="tablist"]')?.dispatchEvent(new KeyboardEvent("keydown", { key }));
    return tabs.current.id;
  };
  const keys = ["ArrowLeft", "ArrowRight", "ArrowRight", "End", "Home", "x"];
  assert.deepEqual(keys.map(press), ["c", "a", "b", "c", "a", "a"]);
});

test("a copy says that it was made, then offers the next", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const copied: string[] = [];
  const made = copyButton(
    "Copy",
    () => "text",
    (text) => copied.push(text),
  );
  made.click();
  assert.deepEqual([copied, made.textContent], [["text"], "Copied"]);
  context.mock.timers.tick(2_000);
  assert.equal(made.textContent, "Copy");
});
