// The draft and its way to the box: kept through reloads, sent once, retried under the same key.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import type { Ask, Mode } from "../src/api/shapes.ts";

class Memory {
  kept = new Map<string, string>();
  isBroken = false;
  getItem(key: string) {
    if (this.isBroken) throw new Error("storage is off");
    return this.kept.get(key) ?? null;
  }
  setItem(key: string, value: string) {
    if (this.isBroken) throw new Error("storage is off");
    this.kept.set(key, value);
  }
  removeItem(key: string) {
    if (this.isBroken) throw new Error("storage is off");
    this.kept.delete(key);
  }
}

const [session, local] = [new Memory(), new Memory()];
Object.defineProperty(globalThis, "sessionStorage", { value: session, configurable: true });
Object.defineProperty(globalThis, "localStorage", { value: local, configurable: true });

const {
  bringBack, draft, edit, forgetDraft, isSending, keyOfDraft, replace, replaced, saveNow,
} = await import("../src/views/ask/draft.ts");
const { noteEdit, requestOf, submission, submit } = await import("../src/views/ask/submission.ts");

const math: Mode = {
  name: "math", about: "", is_default: true, votes: true, attempts: 1, budget_tokens: 8_192,
  student_attempt: false, is_supported: true, examples: [],
};
const review: Mode = { ...math, name: "review", votes: false, student_attempt: true };

/** A box that replies as it is told and notes what it was asked. */
function boxThat(...replies: (string | object)[]) {
  const asked: { request: Ask; key: string }[] = [];
  let keys = 0;
  return {
    asked,
    time: 0,
    newKey: () => `key ${++keys}`,
    now() {
      return this.time;
    },
    async ask(request: Ask, key: string) {
      asked.push({ request, key });
      const reply = replies.shift();
      if (typeof reply !== "string") throw reply;
      return { id: reply, state: "queued" as const, place: 1, eta_s: null };
    },
  };
}

const lost = { kind: "unreachable", retryAfterMs: null };

beforeEach(() => {
  session.isBroken = local.isBroken = false;
  local.kept.clear();
  forgetDraft();
  submission.value = { state: "ready" };
});

test("a stored draft is what the next page begins with", async () => {
  edit({ question: "2+2?", mode: "plain", attempts: 4, budget: "500" });
  keyOfDraft(() => "k");
  const next = await import(`../src/views/ask/draft.ts?${"reload"}`);
  assert.deepEqual(next.draft.value, draft.value);
  assert.equal(next.draft.value.key, "k");
});

test("foreign text in the storage is not a draft", async () => {
  for (const [at, text] of ["{", "7", "null", '{"question":5,"attempts":"x"}'].entries()) {
    session.kept.set("solverbox-draft", text);
    const next = await import(`../src/views/ask/draft.ts?foreign${at}`);
    assert.equal(next.draft.value.question, "");
    assert.equal(next.draft.value.attempts, null);
  }
});

test("without storage the draft lives on the page", async () => {
  session.isBroken = local.isBroken = true;
  edit({ question: "2+2?", mode: "plain" });
  saveNow();
  assert.equal(draft.value.question, "2+2?");
  const box = boxThat("6a03");
  assert.equal(await submit(box, math), "6a03");
  assert.equal(draft.value.question, "");
});

test("a text that is too long to keep leaves no older version behind", () => {
  edit({ question: "short" });
  saveNow();
  edit({ question: "x".repeat(5_000_000) });
  saveNow();
  assert.equal(session.kept.has("solverbox-draft"), false);
});

test("an accepted question empties the form and keeps the mode", async () => {
  edit({ question: " 2+2? ", mode: "math", attempts: 4 });
  const box = boxThat("6a03");
  assert.equal(await submit(box, math), "6a03");
  assert.deepEqual(box.asked[0]?.request, { question: "2+2?", mode: "math", attempts: 4 });
  assert.equal(draft.value.question, "");
  assert.equal(draft.value.mode, "math");
  assert.equal(draft.value.key, null);
});

test("a retry after a lost reply carries the same key", async () => {
  edit({ question: "2+2?" });
  const box = boxThat(lost, "6a03");
  assert.equal(await submit(box, math), null);
  assert.equal(draft.value.question, "2+2?");
  assert.equal(JSON.parse(session.kept.get("solverbox-draft") ?? "").key, "key 1");
  assert.equal(await submit(box, math), "6a03");
  assert.deepEqual(box.asked.map(({ key }) => key), ["key 1", "key 1"]);
});

test("a changed question gets a key of its own", async () => {
  edit({ question: "2+2?" });
  const box = boxThat(lost, "6a03");
  await submit(box, math);
  edit({ question: "2+3?" });
  await submit(box, math);
  assert.deepEqual(box.asked.map(({ key }) => key), ["key 1", "key 2"]);
});

test("a key that belongs to another question is dropped", async () => {
  edit({ question: "2+2?" });
  const box = boxThat({ kind: "conflict", retryAfterMs: null }, "6a03");
  await submit(box, math);
  await submit(box, math);
  assert.deepEqual(box.asked.map(({ key }) => key), ["key 1", "key 2"]);
});

test("a second press while the first is on its way does nothing, and nothing changes", async () => {
  edit({ question: "2+2?" });
  const box = boxThat("6a03");
  const first = submit(box, math);
  assert.equal(isSending.value, true);
  edit({ question: "lost", attempts: 8 });
  assert.equal(await submit(box, math), null);
  assert.equal(await first, "6a03");
  assert.equal(box.asked.length, 1);
  assert.equal(isSending.value, false);
});

test("a refusal with a delay blocks until the delay is over", async () => {
  edit({ question: "2+2?" });
  const box = boxThat({ kind: "busy", retryAfterMs: 5_000 }, "6a03");
  await submit(box, math);
  assert.deepEqual(submission.value, { state: "refused", kind: "busy", againAt: 5_000 });
  noteEdit();
  assert.equal(await submit(box, math), null);
  assert.equal(box.asked.length, 1);
  box.time = 5_000;
  assert.equal(await submit(box, math), "6a03");
});

test("what is missing is named, and the complaint goes with the next change", async () => {
  const box = boxThat();
  await submit(box, math);
  assert.deepEqual(submission.value, { state: "missing", what: "question" });
  noteEdit();
  assert.deepEqual(submission.value, { state: "ready" });
  assert.equal(box.asked.length, 0);
});

test("a mode that reads work needs it, others are not sent it", () => {
  edit({ question: "2+2?", work: "5" });
  assert.deepEqual(requestOf(draft.value, math), { question: "2+2?", mode: "math" });
  assert.equal(requestOf({ ...draft.value, work: " \n" }, review), "work");
  const request = requestOf({ ...draft.value, attempts: 4 }, review);
  assert.deepEqual(request, { question: "2+2?", mode: "review", attempt_of_student: "5" });
});

test("the budget is a whole number that the box accepts, or empty", () => {
  const budgetOf = (budget: string) => requestOf({ ...draft.value, question: "?", budget }, math);
  assert.deepEqual(budgetOf(" 131072 "), { question: "?", mode: "math", budget_tokens: 131_072 });
  assert.deepEqual(budgetOf(" "), { question: "?", mode: "math" });
  for (const wrong of ["0", "131073", "-5", "1.5", "1e3", "many"]) {
    assert.equal(budgetOf(wrong), "budget", wrong);
  }
});

test("a text that no box accepts is not sent", async () => {
  edit({ question: "x".repeat(5_000_000) });
  const box = boxThat();
  await submit(box, math);
  assert.deepEqual(submission.value, { state: "refused", kind: "too_long", againAt: null });
  assert.equal(box.asked.length, 0);
  assert.equal(draft.value.question.length, 5_000_000);
});

test("a replaced text can be brought back", () => {
  edit({ question: "mine" });
  replace({ question: "an example" });
  assert.equal(replaced.value?.question, "mine");
  bringBack();
  assert.equal(draft.value.question, "mine");
  assert.equal(replaced.value, null);
});
