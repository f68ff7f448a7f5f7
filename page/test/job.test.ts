// A job is followed through cuts, restarts, refusals, silence and hidden tabs, against a box on
// this machine whose log the tests write. The clock and the tab are the tests' own.

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { clientAt } from "../src/api/client.ts";
import { FollowedJob } from "../src/jobs/followed.ts";
import { sourceOf } from "../src/jobs/job.ts";
import type { Part } from "../src/jobs/log.ts";
import { TokenEstimate } from "../src/jobs/tokens.ts";
import { ScriptedBox } from "./support/box.ts";
import { Tab, until } from "./support/tab.ts";

interface Scene { box: ScriptedBox; tab: Tab; job: FollowedJob }

/** Opens a job of a new box; `prepare` sets up both before. */
async function open(t: TestContext, prepare: (box: ScriptedBox, tab: Tab) => void = () => {}) {
  const [box, tab] = [await ScriptedBox.start(), new Tab()];
  prepare(box, tab);
  const job = new FollowedJob("j", sourceOf(clientAt(box.address), "j"), tab, {});
  t.after(async () => {
    job.close();
    await box.close();
    assert.deepEqual([tab.timers, tab.watchers], [0, 0], "nothing is left running");
  });
  return { box, tab, job };
}

const running = (box: ScriptedBox) => {
  box.run();
  box.write(0, "thinking", "ones: 8×8=64 ");
};

async function isLive({ job, box }: Scene) {
  await until("live", () => job.link.value === "live" && job.hasRead.value && box.streams === 1);
}

/** Waits until the job's text is the box's. */
async function isSame({ job, box }: Scene, attempt = 0) {
  for (const part of ["thinking", "answer"] as Part[]) {
    const text = () => box.text(attempt, part).trim();
    await until(`${part} of ${attempt}: ${text()}, not ${job.text(attempt, part)}`, () =>
      job.text(attempt, part).trim() === text());
  }
}

test("a job is read as a whole and then followed from there", async (t) => {
  const scene = await open(t, running);
  const { box, job, tab } = scene;
  await isLive(scene);
  assert.deepEqual(box.requests, ["read", "events 14"]);
  assert.equal(job.info.value.question, "What is 98*78?");
  box.write(0, "thinking", "tens: √😀");
  await isSame(scene);
  box.write(0, "answer", "It is 7644.");
  box.endAttempt(0, "7644");
  box.end();
  await until("over", () => job.link.value === "over" && job.info.value.value === "7644");
  assert.equal(job.info.value.state, "done");
  assert.equal(job.info.value.ended_at, 2);
  assert.equal(job.text(0, "answer"), "It is 7644.");
  assert.equal(job.tokens.value, 50);
  await until("closed", () => tab.watchers === 0);
  assert.equal(box.count("read"), 2);
});

test("bytes may be cut anywhere", async (t) => {
  const scene = await open(t, (box) => {
    running(box);
    box.sliceBytes = 3;
  });
  await isLive(scene);
  for (const piece of ["a√", "\n\n", "😀 and ", "证明"]) scene.box.write(0, "answer", piece);
  await isSame(scene);
});

test("place, estimate, ends of attempts and votes arrive", async (t) => {
  const scene = await open(t, (box) => (box.attempts = 4));
  const { box, job, tab } = scene;
  await isLive(scene);
  assert.deepEqual([job.info.value.state, job.info.value.place], ["queued", 2]);
  const before = job.etaReadAt.value;
  tab.pass(500);
  box.eta = { seconds: 20, low: 10, high: 30 };
  box.run();
  await until("running", () => job.info.value.state === "running");
  assert.equal(job.info.value.eta?.seconds, 20);
  assert.equal(job.etaReadAt.value, before + 500);
  const vote = { value: "5", count: 1, attempt_indices: [1] };
  box.write(1, "answer", "five");
  box.endAttempt(1, "5", { wanted: 4, ended: 1, votes: [vote], agreement: 1, best_attempt: 1 });
  await until("voted", () => job.shownAttempt.value === 1);
  assert.equal(job.info.value.attempt_results.length, 1);
  await isSame(scene, 1);
});

test("a stream that breaks off continues from the last id, later and later", async (t) => {
  const scene = await open(t, running);
  const { box, job, tab } = scene;
  await isLive(scene);
  box.write(0, "thinking", "and more");
  await isSame(scene);
  tab.pass(100);
  box.isGone = true;
  box.cut();
  const waits = [2_000, 4_000, 8_000, 10_000, 10_000];
  let error = job.linkError.value;
  const another = () => job.link.value === "waiting" && job.linkError.value !== error;
  for (const [failures, wait] of waits.entries()) {
    await until("waiting", another);
    error = job.linkError.value;
    assert.equal(error?.kind, "unreachable");
    tab.pass(wait - 1);
    assert.equal(box.count("events"), failures + 1);
    tab.pass(1);
    await until("tried", () => box.count("events") === failures + 2);
  }
  await until("waiting", another);
  box.isGone = false;
  box.write(0, "thinking", ", and what was missed");
  // The network is back: at once.
  tab.online();
  await isLive(scene);
  await isSame(scene);
  assert.equal(job.linkError.value, null);
  assert.equal(box.requests.at(-1), `events ${Buffer.byteLength("ones: 8×8=64 and more")}`);
});

test("the stream says how long to wait", async (t) => {
  const scene = await open(t, (box) => {
    running(box);
    box.retryMs = 300;
  });
  const { box, job, tab } = scene;
  await isLive(scene);
  await until("queued", () => job.info.value.place === 0);
  box.beat();
  box.write(0, "thinking", "x");
  await isSame(scene);
  box.cut("the box is stopping; reconnect");
  await until("waiting", () => job.link.value === "waiting");
  tab.pass(300);
  await isLive(scene);
});

test("after a restart the text beyond a rewind is taken back", async (t) => {
  for (const to of [0, 1, 5, 13, 14, 16, 20]) {
    const scene = await open(t, running);
    const { box, job, tab } = scene;
    await isLive(scene);
    box.write(0, "thinking", "a√b");
    box.write(0, "answer", "and");
    await isSame(scene);
    box.restart(wholeCharacters("ones: 8×8=64 a√band", to));
    await until("waiting", () => job.link.value === "waiting");
    box.write(0, "thinking", "<again>");
    tab.pass(2_000);
    await isLive(scene);
    await isSame(scene);
    box.write(0, "answer", "<more>");
    await isSame(scene);
    // The log was exact all the time: nothing was read again as a whole.
    assert.equal(box.count("read"), 1, `to ${to}`);
  }
});

/** Returns the largest number of bytes up to `to` that are whole characters. */
function wholeCharacters(text: string, to: number): number {
  let bytes = 0;
  for (const character of text) {
    const next = bytes + Buffer.byteLength(character);
    if (next > to) break;
    bytes = next;
  }
  return bytes;
}

test("a rewind inside a character, or before what is known, reads the job again", async (t) => {
  const inside = await open(t, running);
  await isLive(inside);
  inside.box.write(0, "thinking", "√");
  await isSame(inside);
  inside.box.raw("event: rewind\nid: 15\ndata: {\"to\":15}\n\n");
  await until("read again", () => inside.box.count("read") === 2);
  await isLive(inside);
  await isSame(inside);

  const before = await open(t, (box) => {
    box.attempts = 2;
    box.write(1, "thinking", "first of 1 ");
    running(box);
  });
  await isLive(before);
  before.box.restart(12);
  await until("waiting", () => before.job.link.value === "waiting");
  before.tab.pass(2_000);
  await until("read again", () => before.box.count("read") === 2);
  await isLive(before);
  await isSame(before);
});

test("an event that does not continue the log reads the job again", async (t) => {
  const scene = await open(t, running);
  const { box } = scene;
  await isLive(scene);
  box.raw("event: answer\nid: 999\ndata: {\"attempt\":0,\"text\":\"gap\"}\n\n");
  await until("read again", () => box.count("read") === 2);
  await isLive(scene);
  await isSame(scene);
});

test("an event that is no JSON breaks the connection, not the page", async (t) => {
  const scene = await open(t, running);
  const { box, job, tab } = scene;
  await isLive(scene);
  box.raw("event: answer\nid: 99\ndata: {\n\n");
  await until("waiting", () => job.linkError.value?.kind === "nonsense");
  box.raw("event: unknown\nid: 14\ndata: {}\n\n");
  tab.pass(2_000);
  await isLive(scene);
});

test("ends of attempts that a restart has lost are forgotten", async (t) => {
  const scene = await open(t, (box) => {
    box.attempts = 2;
    running(box);
  });
  const { box, job, tab } = scene;
  await isLive(scene);
  box.endAttempt(0, "5");
  await until("ended", () => job.info.value.attempts_ended === 1);
  box.restart();
  await until("waiting", () => job.link.value === "waiting");
  tab.pass(2_000);
  await isLive(scene);
  await until("forgotten", () => job.info.value.attempts_ended === 0);
});

test("a restart that loses nothing keeps the votes and all ends", async (t) => {
  const scene = await open(t, (box) => {
    box.attempts = 4;
    running(box);
  });
  const { box, job, tab } = scene;
  await isLive(scene);
  const vote = { value: "5", count: 3, attempt_indices: [0, 1, 2] };
  const votes = { wanted: 4, ended: 3, votes: [vote], agreement: 1, best_attempt: 0 };
  for (const attempt of [0, 1, 2]) box.endAttempt(attempt, "5", votes);
  await until("three ends", () => job.info.value.attempts_ended === 3);
  box.restart(box.bytes, "all");
  await until("waiting", () => job.link.value === "waiting");
  tab.pass(2_000);
  await isLive(scene);
  box.write(3, "thinking", "and on");
  await isSame(scene, 3);
  assert.equal(job.info.value.attempts_ended, 3);
  assert.deepEqual(job.info.value.votes, votes);
});

test("a job that is deleted while it runs ends with its error and keeps its text", async (t) => {
  const scene = await open(t, running);
  const { box, job, tab } = scene;
  await isLive(scene);
  box.refusals.events.push({ status: 404, kind: "not_found" });
  box.cut();
  await until("waiting", () => job.link.value === "waiting");
  tab.pass(2_000);
  await until("over", () => job.link.value === "over");
  assert.equal(job.linkError.value?.kind, "not_found");
  assert.equal(job.info.value.state, "running");
  assert.equal(job.text(0, "thinking"), "ones: 8×8=64 ");
});

test("a job that does not exist, or is not this browser's, ends with its error", async (t) => {
  for (const [status, kind] of [[404, "not_found"], [403, "forbidden"]] as const) {
    const { box, job, tab } = await open(t, (box) => box.refusals.read.push({ status, kind }));
    await until("over", () => job.link.value === "over");
    assert.equal(job.linkError.value?.kind, kind);
    assert.equal(job.linkError.value?.remedy, "Wait.");
    assert.ok(!job.hasRead.value);
    tab.pass(100_000);
    assert.deepEqual(box.requests, ["read"]);
  }
});

test("after a 401 the page is loaded for a cookie and the request sent again", async (t) => {
  const scene = await open(t, (box) => {
    running(box);
    box.refusals.read.push({ status: 401, kind: "unauthorized" });
  });
  await isLive(scene);
  assert.deepEqual(scene.box.requests, ["read", "home", "read", "events 14"]);
  // Only once.
  const { box, job } = await open(t, (box) => {
    const refusal = { status: 401, kind: "unauthorized" };
    box.refusals.read.push(refusal, refusal);
  });
  await until("over", () => job.linkError.value?.kind === "unauthorized");
  assert.deepEqual(box.requests, ["read", "home", "read"]);
});

test("a box that is busy or loading is asked again when it said", async (t) => {
  for (const [status, kind] of [[503, "busy"], [429, "too_many"], [503, "stopped"]] as const) {
    const scene = await open(t, (box) => {
      running(box);
      box.refusals.read.push({ status, kind, retryAfter: 7 });
    });
    const { box, job, tab } = scene;
    await until("waiting", () => job.link.value === "waiting" && tab.timers === 1);
    assert.equal(job.linkError.value?.kind, kind);
    assert.equal(job.linkError.value?.retryAfterMs, 7_000);
    tab.pass(6_999);
    assert.equal(box.count("read"), 1);
    tab.pass(1);
    await isLive(scene);
  }
});

test("a reply that is none of the box's is not believed", async (t) => {
  const { job } = await open(t, (box) => {
    box.refusals.read.push({ status: 200, body: "<html>Log in to the hotel</html>" });
  });
  await until("waiting", () => job.linkError.value?.kind === "nonsense");
});

test("where a stream is refused, the job is read every 5 s until it may be opened", async (t) => {
  for (const [status, kind] of [[503, "busy"], [429, "too_many"]] as const) {
    const scene = await open(t, (box) => {
      running(box);
      box.refusals.events.push({ status, kind, retryAfter: 2 });
    });
    const { box, job, tab } = scene;
    await until("polling", () => job.link.value === "polling" && tab.timers === 1);
    assert.equal(job.linkError.value?.kind, kind);
    for (let polls = 1; polls <= 5; polls++) {
      box.write(0, "thinking", `poll ${polls} `);
      tab.pass(5_000);
      await until("read", () => box.count("read") === 1 + polls && tab.timers === 1);
      await isSame(scene);
    }
    assert.equal(box.count("events"), 1);
    tab.pass(5_000);
    await isLive(scene);
    assert.equal(job.linkError.value, null);
    box.write(0, "answer", "done");
    await isSame(scene);
  }
});

test("a refused stream whose job ends shows the end", async (t) => {
  const { box, job, tab } = await open(t, (box) => {
    running(box);
    box.refusals.events.push({ status: 503, kind: "busy" });
  });
  await until("polling", () => job.link.value === "polling" && tab.timers === 1);
  box.write(0, "answer", "7644");
  box.end();
  tab.pass(5_000);
  await until("over", () => job.link.value === "over");
  assert.equal(job.text(0, "answer"), "7644");
  assert.equal(job.text(0, "thinking"), "ones: 8×8=64");
});

test("a box that stops is waited for, not polled", async (t) => {
  const { job } = await open(t, (box) => {
    running(box);
    box.refusals.events.push({ status: 503, kind: "stopped", retryAfter: 2 });
  });
  await until("waiting", () => job.link.value === "waiting");
});

test("a hidden tab closes its stream within 10 s and polls; shown, it has the rest", async (t) => {
  const scene = await open(t, (box) => {
    running(box);
    box.attempts = 2;
  });
  const { box, job, tab } = scene;
  await isLive(scene);
  box.write(1, "thinking", "second");
  await isSame(scene, 1);
  tab.hide();
  assert.equal(box.streams, 1);
  tab.pass(10_000);
  await until("closed", () => box.streams === 0 && job.link.value === "polling");
  assert.equal(job.linkError.value, null);
  box.write(1, "thinking", " goes on");
  box.eta = { seconds: 5, low: 1, high: 9 };
  await until("paused", () => tab.timers === 1);
  tab.pass(15_000);
  await until("polled", () => job.info.value.eta?.seconds === 5);
  assert.equal(job.text(1, "thinking"), "second");
  tab.show();
  await isLive(scene);
  await isSame(scene, 1);
  await isSame(scene, 0);
  assert.equal(box.count("read"), 2);
});

test("a tab that is hidden for a moment keeps its stream until it is shown", async (t) => {
  const scene = await open(t, running);
  const { box, job, tab } = scene;
  await isLive(scene);
  tab.hide();
  tab.pass(3_000);
  box.write(0, "thinking", "x");
  await isSame(scene);
  assert.equal(job.link.value, "live");
  tab.show();
  tab.pass(20_000);
  // Opened again: after a sleep the old stream may be dead.
  await until("reopened", () => box.count("events") === 2);
  await isLive(scene);
});

test("a tab opened in the background never opens a stream, and learns the end", async (t) => {
  const { box, job, tab } = await open(t, (box, tab) => {
    running(box);
    tab.hidden = true;
  });
  await until("polling", () => job.link.value === "polling" && tab.timers === 1);
  box.write(0, "answer", "7644");
  box.end();
  tab.pass(15_000);
  await until("over", () => job.link.value === "over");
  assert.equal(job.info.value.state, "done");
  assert.equal(job.text(0, "answer"), "7644");
  assert.equal(box.count("events"), 0);
});

test("after 45 s of silence the stream is opened again, heartbeats prevent that", async (t) => {
  const scene = await open(t, running);
  const { box, job, tab } = scene;
  await isLive(scene);
  for (let beats = 0; beats < 4; beats++) {
    tab.pass(15_000);
    const revision = job.revision.value;
    box.beat();
    box.write(0, "thinking", ".");
    await until("heard", () => job.revision.value > revision);
  }
  assert.equal(box.count("events"), 1);
  tab.pass(44_000);
  assert.equal(box.count("events"), 1);
  tab.pass(2_000);
  await until("reopened", () => box.count("events") === 2);
  await isLive(scene);
});

test("revisions rise at most every 100 ms while text comes", async (t) => {
  const scene = await open(t, running);
  const { box, job, tab } = scene;
  await isLive(scene);
  await until("queued", () => job.revision.value === 2);
  tab.pass(1_000);
  let heard = 0;
  t.after(job.revision.subscribe(() => (heard += 1)));
  for (let piece = 0; piece < 50; piece++) box.write(0, "thinking", "x");
  await until("first", () => job.text(0, "thinking").endsWith("x".repeat(50)));
  // One at once, one that waits.
  assert.ok(heard <= 2, `${heard}`);
  tab.pass(100);
  assert.ok(heard <= 3, `${heard}`);
});

test("tokens are counted by the events of a page that keeps up", () => {
  const estimate = new TokenEstimate();
  assert.equal(estimate.of(30), 10);
  estimate.add(1_000);
  for (let token = 0; token < 100; token++) estimate.add(5);
  assert.equal(estimate.of(1_500), 300);
  // A rewind or a longer token does not count backwards.
  assert.equal(estimate.of(1_000), 300);
});

test("all texts of a job that has ended can be loaded", async (t) => {
  const { box, job } = await open(t, (box) => {
    box.attempts = 3;
    running(box);
    box.write(1, "thinking", "one");
    box.write(2, "answer", " two ");
    box.end("done", 1);
  });
  await until("over", () => job.link.value === "over");
  assert.deepEqual([job.holds(1), job.holds(2), job.text(2, "answer")], [true, false, ""]);
  await Promise.all([job.loadAll(), job.loadAll()]);
  assert.deepEqual([job.text(0, "thinking"), job.text(2, "answer")], ["ones: 8×8=64", "two"]);
  await job.loadAll();
  assert.deepEqual(box.requests, ["read", "events 0"]);
});

test("all texts of a running job are loaded, and it goes on from there", async (t) => {
  const scene = await open(t, (box) => {
    box.attempts = 2;
    running(box);
    box.write(1, "thinking", "one");
  });
  const { box, job } = scene;
  await isLive(scene);
  await job.loadAll();
  assert.equal(job.text(1, "thinking"), "one");
  await until("reopened", () => box.requests.at(-1) === `events ${box.bytes}`);
  await isLive(scene);
  box.write(1, "thinking", " more");
  await isSame(scene, 1);
  await isSame(scene, 0);
});

test("texts that cannot be loaded are an error, and the job stays as it was", async (t) => {
  const { box, job } = await open(t, (box) => {
    box.attempts = 2;
    running(box);
    box.write(1, "thinking", "one");
    box.end();
  });
  await until("over", () => job.link.value === "over");
  box.refusals.events.push({ status: 503, kind: "busy" });
  await assert.rejects(job.loadAll(), { name: "BoxError", kind: "busy" });
  assert.equal(job.text(0, "thinking"), "ones: 8×8=64");
  await job.loadAll();
  assert.equal(job.text(1, "thinking"), "one");
});

test("a job read after others led the vote gets the leader's text", async (t) => {
  const scene = await open(t, (box) => {
    box.attempts = 4;
    running(box);
    box.write(2, "answer", "five");
    const vote = { value: "5", count: 1, attempt_indices: [2] };
    box.endAttempt(2, "5", { wanted: 4, ended: 1, votes: [vote], agreement: 1, best_attempt: 2 });
  });
  await until("loaded", () => scene.job.text(2, "answer") === "five");
  assert.equal(scene.job.shownAttempt.value, 2);
});

test("a job is stopped, and a refusal to stop it is an error", async (t) => {
  const scene = await open(t, running);
  const { box, job } = scene;
  await isLive(scene);
  box.refusals.stop.push({ status: 503, kind: "busy", retryAfter: 2 });
  await assert.rejects(job.stop(), { kind: "busy", retryAfterMs: 2_000, status: 503 });
  await job.stop();
  await until("stopped", () => job.info.value.state === "stopped" && job.link.value === "over");
});

test("a job that fails says why", async (t) => {
  const scene = await open(t, running);
  await isLive(scene);
  scene.box.end("failed");
  await until("failed", () => scene.job.info.value.ended_at === 2);
  assert.equal(scene.job.info.value.error?.kind, "internal");
  assert.equal(scene.job.link.value, "over");
});

test("an answer stays whole if the box is gone before its figures are read", async (t) => {
  const scene = await open(t, running);
  const { box, job, tab } = scene;
  await isLive(scene);
  box.refusals.read.push({ status: 503, kind: "stopped" });
  box.write(0, "answer", "7644");
  box.end();
  await until("done", () => job.info.value.state === "done" && tab.timers === 1);
  assert.deepEqual([job.link.value, job.text(0, "answer")], ["over", "7644"]);
  tab.pass(2_000);
  await until("read", () => job.info.value.value === "7644");
});

test("a job that is closed asks for nothing more", async (t) => {
  const scene = await open(t, running);
  const { box, job, tab } = scene;
  await isLive(scene);
  job.close();
  await until("closed", () => box.streams === 0);
  tab.online();
  tab.pass(100_000);
  assert.equal(box.requests.length, 2);
});
