import assert from "node:assert/strict";
import { test } from "node:test";
import { JobsClient } from "../src/client.ts";
import { type Ears, Feed } from "../src/feed.ts";
import { JobsModel } from "../src/model.ts";
import { job } from "./sample.ts";

/** A feed whose connections, answers and clock the test holds in its hands. */
function bench(answers: (() => string)[] = []) {
  const opened: { address: string; ears: Ears; closed: boolean }[] = [];
  const pauses: number[] = [];
  let due: (() => void) | null = null;
  const client = new JobsClient(async () => {
    const answer = answers.shift();
    if (!answer) {
      throw new TypeError("no network");
    }
    return { status: 200, ok: true, text: async () => answer() };
  });
  const model = new JobsModel();
  const feed = new Feed({
    client,
    model,
    open: (address, ears) => {
      const connection = { address, ears, closed: false };
      opened.push(connection);
      return {
        close: () => {
          connection.closed = true;
          ears.closed();
        },
      };
    },
    timer: {
      set: (act, ms) => {
        pauses.push(ms);
        due = act;
        return 1;
      },
      clear: () => {
        due = null;
      },
    },
  });
  const last = () => {
    const connection = opened.at(-1);
    assert.ok(connection);
    return connection;
  };
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return { client, feed, last, model, opened, pauses, settle, ring: () => due?.() };
}

const PAGE = JSON.stringify({ jobs: [job()], next: "" });

test("what the connection says reaches the model", () => {
  const { feed, last, model } = bench();
  feed.start();
  last().ears.message(PAGE);
  assert.equal(last().address, "changes");
  assert.deepEqual(
    model.rows.map((row) => row.name),
    ["net-1"],
  );
});

test("without a connection it looks at intervals", async () => {
  const { feed, last, model, opened, pauses, ring, settle } = bench([() => PAGE]);
  feed.pollMs = 5_000;
  feed.start();
  last().ears.closed();
  await settle();
  assert.equal(model.rows.length, 1);
  assert.deepEqual(pauses, [5_000]);
  ring();
  assert.equal(opened.length, 2);
});

test("where the server is away, the pauses grow", async () => {
  const { feed, last, model, pauses, ring, settle } = bench();
  feed.start();
  for (let attempt = 0; attempt < 8; attempt++) {
    last().ears.closed();
    await settle();
    ring();
  }
  assert.deepEqual(
    pauses,
    [1, 2, 4, 8, 16, 32, 60, 60].map((s) => s * 1000),
  );
  assert.match(model.error?.message ?? "", /cannot be reached/);
});

test("a page out of sight rests", async () => {
  const { feed, last, model, opened, pauses, settle } = bench([() => PAGE]);
  feed.start();
  const connection = last();
  feed.stop();
  connection.ears.message(PAGE);
  await settle();
  assert.ok(connection.closed);
  assert.equal(model.rows.length, 0);
  assert.deepEqual([opened.length, pauses.length], [1, 0]);
});
