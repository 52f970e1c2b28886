import assert from "node:assert/strict";
import { test } from "node:test";
import "./page.ts"; // first: it makes the page
import { keepPlace } from "../src/keyboard.ts";

const PANEL = `<div class="jp-OutputArea"><div class="neo-widgets"><button>Stop</button><button>Keep</button></div></div>
<input>`;
const settled = () => new Promise((done) => setTimeout(done, 250));
let returns = 0;
keepPlace(() => returns++);

function page(): { stop: HTMLElement; keep: HTMLElement; other: HTMLElement } {
  returns = 0;
  document.body.innerHTML = PANEL;
  const [stop, keep] = document.querySelectorAll("button");
  const other = document.querySelector("input");
  assert.ok(stop && keep && other);
  return { stop, keep, other };
}

test("where the pressed button goes away, the notebook gets the focus, once", async () => {
  const { stop, keep } = page();
  stop.focus();
  stop.remove();
  await settled();
  keep.remove();
  await settled();
  assert.equal(returns, 1);
});

test("where the panel gives the focus to another button, it stays there", async () => {
  const { stop, keep } = page();
  stop.focus();
  stop.remove();
  keep.focus();
  await settled();
  assert.equal(returns, 0);
});

test("who has gone elsewhere is not called back", async () => {
  const { stop, other } = page();
  stop.focus();
  other.focus();
  other.blur();
  stop.remove();
  await settled();
  assert.equal(returns, 0);
});
