import assert from "node:assert/strict";
import { test } from "node:test";
import { JobsClient } from "../src/client.ts";
import { RequestFailure, type Send } from "../src/request.ts";

function answering(status: number, text: string): Send {
  return async () => ({ status, ok: status < 400, text: async () => text });
}

async function failure(send: Send): Promise<RequestFailure> {
  try {
    await new JobsClient(send).jobs();
  } catch (error) {
    assert.ok(error instanceof RequestFailure);
    return error;
  }
  throw new Error("it did not fail");
}

test("the server's own words", async () => {
  const error = await failure(answering(400, '{"message": "No such filter.", "hint": "Look again."}'));
  assert.deepEqual([error.status, error.message, error.hint], [400, "No such filter.", "Look again."]);
});

test("a proxy's page is not shown to the user", async () => {
  assert.match((await failure(answering(418, "<html>"))).message, /error \(418\)/);
});

test("a hub, or a proxy, whose server is not running", async () => {
  for (const status of [424, 502, 503, 504]) {
    assert.equal((await failure(answering(status, "<html>"))).message, "The Jupyter server is not running.");
  }
});

test("a login page in the place of an answer", async () => {
  const error = await failure(answering(200, "<!doctype html><title>Log in</title>"));
  assert.deepEqual([error.message, error.hint], ["You are no longer logged in.", "Reload the page."]);
});

test("a server without the extension", async () => {
  assert.match((await failure(answering(404, "<html>"))).hint, /extension enable/);
});

test("no network", async () => {
  const error = await failure(() => Promise.reject(new TypeError("failed to fetch")));
  assert.deepEqual([error.status, error.message], [0, "The Jupyter server cannot be reached."]);
});

test("names, backends and tokens are put into addresses safely", () => {
  const client = new JobsClient(answering(200, "null"));
  client.backend = "http://127.0.0.1:8765";
  const address = client.address(client.path("a/b ?", "log"), { after: "t&1" });
  assert.equal(address, "jobs/a%2Fb%20%3F/log?after=t%261&backend=http%3A%2F%2F127.0.0.1%3A8765");
});
