// What the parts of one job's view share: where the job stands, its times, its texts as they may be
// shown, and the jobs before it. Follows the LiveJob; shows nothing and asks for nothing but that.

import { type ReadonlySignal, type Signal, batch, computed, signal } from "@preact/signals";
import { getJob } from "../../api/client.ts";
import type { Job } from "../../api/shapes.ts";
import { history, loadHistory } from "../../jobs/history.ts";
import { type LiveJob, isFinal } from "../../jobs/job.ts";
import { boxedValue, withoutBoxes } from "../../text/value.ts";
import { firstSeen, forgetTimes } from "./clock.ts";
import { type Expectation, expectationOf, minutesLeft, shareOf } from "./durations.ts";
import { CHAIN_MAX, hidesSolution, isLearning } from "./ladder.ts";
import { type Phase, phaseOf } from "./phase.ts";

const TICK_MS = 1_000;
/** How long "going on" stands after the box came back. */
const BACK_MS = 5_000;

export interface JobModel {
  readonly job: LiveJob;
  /** Whether it is another person's job, which can only be read. */
  readonly isShared: boolean;
  readonly phase: ReadonlySignal<Phase>;
  /** Whether the job has ended. */
  readonly isOver: ReadonlySignal<boolean>;
  /** Whether the page cannot follow it any more, though it has not ended. */
  readonly isLost: ReadonlySignal<boolean>;
  /** The link to the box as people need to know it. */
  readonly link: ReadonlySignal<"good" | "gone" | "back">;
  /** Whole seconds since it was asked; at its end, until then. */
  readonly elapsedS: ReadonlySignal<number>;
  readonly runningS: ReadonlySignal<number>;
  /** Seconds until the answer began; grows while the box thinks. */
  readonly thoughtS: ReadonlySignal<number>;
  readonly expected: ReadonlySignal<Expectation | null>;
  readonly minutes: ReadonlySignal<number | null>;
  readonly share: ReadonlySignal<number>;
  /** Whether this hint or review must not give the solution away. */
  readonly isHiding: ReadonlySignal<boolean>;
  /** The shown attempt's answer, as it may be shown. */
  readonly answer: ReadonlySignal<string>;
  /** The value of an answer that is complete, as TeX; "" without one. */
  readonly value: ReadonlySignal<string>;
  /** The jobs before this one, the first one first; null until they are read. */
  readonly before: Signal<readonly Job[] | null>;
  readonly isThinkingOpen: Signal<boolean>;
  /** Whether *Take along* is open above the answer, where it stays until it is closed. */
  readonly isTicketOpen: Signal<boolean>;
  /** Makes time pass and reads the jobs before; returns how to end that. */
  start(): () => void;
}

export function jobModel(job: LiveJob, isShared: boolean): JobModel {
  const now = signal(performance.now());
  const clock = signal({ askedAt: Date.now(), ranAt: 0 });
  const thoughtS = signal(0);
  const backAt = signal(-Infinity);
  const before = signal<readonly Job[] | null>(null);

  const shown = (part: "thinking" | "answer") => {
    void job.revision.value;
    return job.text(job.shownAttempt.value, part);
  };
  const hasAnswer = computed(() => shown("answer") !== "");
  const hasThinking = computed(() => shown("thinking") !== "");
  const phase = computed(() => {
    const { state, attempts_wanted, attempts_ended } = job.info.value;
    return phaseOf({
      state, isUnfollowed: job.link.value === "over",
      hasThinking: hasThinking.value, hasAnswer: hasAnswer.value,
      attemptsWanted: attempts_wanted, attemptsEnded: attempts_ended,
    });
  });
  const isOver = computed(() => isFinal(job.info.value.state));
  const isLost = computed(() => phase.value === "lost");
  const passedS = computed(() => (now.value - job.etaReadAt.value) / 1000);
  const elapsedS = computed(() => {
    const { ended_at, asked_at } = job.info.value;
    if (isOver.value && ended_at !== null) return Math.max(0, ended_at - asked_at);
    void now.value;
    return Math.max(0, Math.floor((Date.now() - clock.value.askedAt) / 1000));
  });
  const runningS = computed(() => {
    const { ranAt } = clock.value;
    void now.value;
    return ranAt > 0 ? Math.max(0, (Date.now() - ranAt) / 1000) : 0;
  });
  const eta = computed(() => (isOver.value || isLost.value ? null : job.info.value.eta));
  const isHiding = computed(() => {
    const { mode } = job.info.value;
    if (!isLearning(mode)) return false;
    const { previous } = job.info.value;
    const known = [...history.value, ...(before.value ?? [])];
    return hidesSolution({ id: job.id, mode, previous }, known);
  });

  /** Notes when the job was first seen in each state. */
  function look(): void {
    if (isLost.peek()) return;
    const { state, asked_at } = job.info.peek();
    if (!isFinal(state)) now.value = performance.now();
    if (!job.hasRead.peek() || isFinal(state)) return;
    const { askedAt, ranAt } = clock.peek();
    // A job that has text already began before it was seen here.
    const isOld = hasThinking.peek() || hasAnswer.peek();
    const claimed = isOld ? asked_at : null;
    const asked = ranAt === 0 ? firstSeen("asked", job.id, claimed) : askedAt;
    const isRunning = state === "running";
    const ran = isRunning && ranAt === 0 ? firstSeen("ran", job.id, claimed) : ranAt;
    if (asked !== askedAt || ran !== ranAt) clock.value = { askedAt: asked, ranAt: ran };
    if (isRunning && !hasAnswer.peek()) thoughtS.value = Math.floor(runningS.peek());
  }

  function start(): () => void {
    let wasGone = false;
    const unfollow = job.link.subscribe((link) => {
      const isBack = link === "live" || link === "polling";
      if (isBack && wasGone && !isOver.peek()) backAt.value = performance.now();
      wasGone = link === "waiting";
    });
    const leaving = new AbortController();
    const unwatch = isOver.subscribe((over) => {
      if (over) forgetTimes(job.id);
    });
    const ticking = setInterval(() => batch(look), TICK_MS);
    const unread = job.hasRead.subscribe((hasRead) => {
      if (!hasRead) return;
      look();
      if (isShared) before.value = [];
      else void readBefore(job.info.peek(), before, leaving.signal);
    });
    return () => {
      clearInterval(ticking);
      leaving.abort();
      for (const end of [unfollow, unwatch, unread]) end();
    };
  }

  return {
    job, isShared, phase, isOver, isLost, elapsedS, runningS, thoughtS, isHiding, before, start,
    link: computed(() => {
      if (job.link.value === "waiting") return "gone";
      return now.value - backAt.value < BACK_MS ? "back" : "good";
    }),
    expected: computed(() => (eta.value ? expectationOf(eta.value, passedS.value) : null)),
    minutes: computed(() => (eta.value ? minutesLeft(eta.value, passedS.value) : null)),
    share: computed(() => shareOf(elapsedS.value, eta.value, passedS.value)),
    answer: computed(() => (isHiding.value ? withoutBoxes(shown("answer")) : shown("answer"))),
    // The event that ends a job comes before the whole of it is read, and has no value.
    value: computed(() =>
      isOver.value ? job.info.value.value ?? boxedValue(shown("answer")) : ""),
    isThinkingOpen: signal(false),
    isTicketOpen: signal(false),
  };
}

/** Reads the jobs that a job goes on from. One that is gone ends the chain. */
async function readBefore(
  job: Job, into: Signal<readonly Job[] | null>, leaving: AbortSignal,
): Promise<void> {
  // Whether the solution was asked for is known from the jobs after this one.
  if (isLearning(job.mode)) loadHistory().catch(() => {});
  const found: Job[] = [];
  let next = job.previous;
  while (next !== null && found.length < CHAIN_MAX) {
    const one: Job | null = await getJob(next, leaving).catch(() => null);
    if (leaving.aborted) return;
    if (!one) break;
    // Nobody reads the thinking of an earlier step, and a chain of them is long.
    found.unshift({ ...one, thinking: "" });
    next = one.previous;
  }
  into.value = found;
}
