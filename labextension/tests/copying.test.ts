import assert from "node:assert/strict";
import { test } from "node:test";
import "./page.ts"; // first: it makes the page
import { copyFromPanels } from "../src/copying.ts";

const PANEL = `<div class="neo-magics"><div class="neo-copy"><button hidden>Copy</button>
<pre>one &lt;b&gt;\ntwo</pre></div></div>`;

test("a panel's button copies its text, whenever the panel came", () => {
  const copied: string[] = [];
  copyFromPanels((text) => copied.push(text));
  assert.ok(document.body.classList.contains("neo-copies")); // the panels show their buttons then
  document.body.innerHTML = `${PANEL}<div class="neo-copy"><button>Other</button><pre>not ours</pre></div>`;
  const [ours, other] = document.querySelectorAll("button");
  other?.click();
  ours?.click();
  assert.deepEqual(copied, ["one <b>\ntwo"]);
  assert.equal(ours?.textContent, "Copied");
});
