// Where a job stands, as the state line names it: finer than the box's states, because a reader
// wants to know whether it thinks, answers, or waits for its other attempts.

import type { JobState } from "../../api/shapes.ts";

export type Phase =
  | "queued" | "reading" | "thinking" | "others" | "answering" | "done" | "stopped" | "failed"
  // Deleted, or not for this browser any more, before it ended.
  | "lost";

export type Ended = "done" | "stopped" | "failed" | "lost";

export interface Standing {
  state: JobState;
  /** Whether the page cannot follow it any more. */
  isUnfollowed: boolean;
  hasThinking: boolean;
  hasAnswer: boolean;
  attemptsWanted: number;
  attemptsEnded: number;
}

export function phaseOf(standing: Standing): Phase {
  const { state, hasThinking, hasAnswer, attemptsEnded, attemptsWanted } = standing;
  const hasEnded = state !== "queued" && state !== "running";
  if (standing.isUnfollowed && !hasEnded) return "lost";
  if (state !== "running") return state;
  if (attemptsWanted > 1 && attemptsEnded > 0) return "others";
  if (hasAnswer) return "answering";
  return hasThinking ? "thinking" : "reading";
}

/** Whether nothing more will come for a job in this phase. */
export function isOver(phase: Phase): phase is Ended {
  return phase === "done" || phase === "stopped" || phase === "failed" || phase === "lost";
}

/** From here on a pupil who cannot wait may have the answer now, in seconds of running. */
const ANSWER_NOW_AFTER_S = 30;

export function canAnswerNow(phase: Phase, runningS: number): boolean {
  return (phase === "thinking" || phase === "others") && runningS >= ANSWER_NOW_AFTER_S;
}
