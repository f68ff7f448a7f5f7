// Requests to the box: what is sent, and what a reply without success is taken for.

import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { clientAt, newKey } from "../src/api/client.ts";
import { until } from "./support/tab.ts";

interface Reply {
  status?: number;
  headers?: Record<string, string>;
  body?: string;
  /** Number of requests that must have come before this reply is sent. */
  after?: number;
}

/** Serves prepared replies, one a request; `seen` has the requests. */
async function serve(t: TestContext, ...replies: Reply[]) {
  const seen: { line: string; body: string; headers: IncomingMessage["headers"] }[] = [];
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = Buffer.concat(parts).toString();
    seen.push({ line: `${request.method} ${request.url}`, body, headers: request.headers });
    const { status = 200, headers = {}, body: sent = "{}", after = 0 } = replies.shift() ?? {};
    await until("all requests came", () => seen.length >= after);
    response.writeHead(status, headers).end(sent);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { box: clientAt(address), seen };
}

const refused = (kind: string) => JSON.stringify({ error: { kind, message: "m", remedy: "r" } });

test("a question is sent as JSON, with its key", async (t) => {
  const accepted = { id: "6a", state: "queued", place: 1, eta_s: null };
  const { box, seen } = await serve(t, { status: 202, body: JSON.stringify(accepted) });
  assert.deepEqual(await box.askJob({ question: "2+2?", attempts: 4 }, "key-1"), accepted);
  assert.equal(seen[0]?.line, "POST /api/jobs");
  assert.equal(seen[0]?.headers["idempotency-key"], "key-1");
  assert.equal(seen[0]?.headers["content-type"], "application/json");
  assert.deepEqual(JSON.parse(seen[0]?.body ?? ""), { question: "2+2?", attempts: 4 });
});

test("each request has its address", async (t) => {
  const { box, seen } = await serve(t);
  await box.getModes();
  await box.getBox();
  await box.getEstimate("a b", 4);
  await box.getJob("6a");
  await box.listJobs();
  await box.listJobs("6a", 7);
  await box.finishJob("6a");
  await box.stopJob("6a");
  await box.deleteJob("6a");
  await box.shareJob("6a");
  await box.unshareJob("6a");
  await box.getShared("ff");
  await box.deleteBrowser();
  assert.deepEqual(seen.map(({ line }) => line), [
    "GET /api/modes", "GET /api/box", "GET /api/estimate?mode=a%20b&attempts=4",
    "GET /api/jobs/6a", "GET /api/jobs", "GET /api/jobs?before=6a&limit=7",
    "POST /api/jobs/6a/finish", "POST /api/jobs/6a/stop", "DELETE /api/jobs/6a",
    "POST /api/jobs/6a/share", "DELETE /api/jobs/6a/share", "GET /api/shared/ff",
    // It loads the page again for a new cookie.
    "DELETE /api/browser", "GET /",
  ]);
});

test("a deleted job has no body, and is not an error", async (t) => {
  const { box } = await serve(t, { status: 204, body: "" });
  await box.deleteJob("6a");
});

test("an error has the box's kind and words, and when to try again", async (t) => {
  const { box } = await serve(t, {
    status: 429, headers: { "Retry-After": "90" }, body: refused("too_many"),
  });
  await assert.rejects(box.askJob({ question: "?" }, "k"), {
    name: "BoxError", kind: "too_many", message: "m", remedy: "r", status: 429,
    retryAfterMs: 90_000,
  });
});

test("an error that is not the box's is known by its status", async (t) => {
  const cases: [number, string, string][] = [
    [413, "<html>", "too_long"], [502, "", "unreachable"], [503, "{}", "busy"],
    [404, "null", "not_found"], [500, refused("from the future"), "nonsense"],
    [418, "", "nonsense"],
  ];
  for (const [status, body, kind] of cases) {
    const headers = { "Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT" };
    const { box } = await serve(t, { status, headers, body });
    await assert.rejects(box.getBox(), { kind, status, retryAfterMs: null }, `${status} ${body}`);
  }
});

test("a success that is not JSON is nonsense, no connection is unreachable", async (t) => {
  const { box } = await serve(t, { body: "<html>Log in</html>" });
  await assert.rejects(box.getModes(), { kind: "nonsense" });
  const nobody = clientAt("http://127.0.0.1:1");
  await assert.rejects(nobody.getModes(), { kind: "unreachable", status: 0 });
});

test("a box that is loading is not an error, one without a free connection is", async (t) => {
  const health = { state: "loading", bytes_loaded: 1, bytes_total: 2, demo: true };
  const { box } = await serve(t, { status: 503, body: JSON.stringify(health) },
    { status: 503, body: refused("busy") });
  assert.deepEqual(await box.getHealth(), health);
  await assert.rejects(box.getHealth(), { kind: "busy" });
});

test("requests that find a new secret share one load of the page", async (t) => {
  const turnedAway = { status: 401, body: refused("unauthorized"), after: 2 };
  // The page is served only after both were turned away.
  const { box, seen } = await serve(t, turnedAway, turnedAway, { after: 3 });
  await Promise.all([box.getJob("a"), box.getJob("b")]);
  const lines = seen.map(({ line }) => line);
  assert.equal(lines.filter((line) => line === "GET /").length, 1, lines.join());
  assert.equal(lines.length, 5);
});

test("a request that is given up is not sent, or cut", async (t) => {
  const { box, seen } = await serve(t);
  const stopper = new AbortController();
  stopper.abort();
  await assert.rejects(box.getJob("a", stopper.signal), { kind: "unreachable" });
  assert.equal(seen.length, 0);
});

test("keys are random, and of visible ASCII", () => {
  const keys = Array.from({ length: 100 }, newKey);
  assert.equal(new Set(keys).size, 100);
  for (const key of keys) assert.match(key, /^[0-9a-f]{32}$/);
});
