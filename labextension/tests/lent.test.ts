import assert from "node:assert/strict";
import { test } from "node:test";
import { borrow, modules } from "../src/lent.ts";

const shared = (value: string, loaded = false) => ({ get: async () => () => value, loaded });

test("the version in use is borrowed, else the newest", async () => {
  const scope = {
    one: { "1.9.0": shared("old"), "1.10.0": shared("new") },
    two: { "1.0.0": shared("used", true), "2.0.0": shared("newer") },
  };
  await borrow(scope, ["one", "two", "three"]);
  assert.deepEqual(modules, { one: "new", two: "used" });
});
