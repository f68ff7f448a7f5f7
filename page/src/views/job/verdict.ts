// What a vote says: how far the attempts agree, as one of four levels, and the figures that the
// strings word. A value that no second attempt confirms is a guess, whatever its share.

import type { Vote, Votes } from "../../api/shapes.ts";

/** Agreement, falling. `guess`: no two attempts agree, or there was only one. */
export type Level = "strong" | "fair" | "weak" | "guess";

/** Share of the ended attempts, and their number, from which agreement is strong. */
const STRONG_SHARE = 0.75;
const STRONG_COUNT = 3;

export type Verdict =
  | { kind: "single"; level: "guess" }
  | { kind: "none"; level: "guess"; ended: number }
  | { kind: "split"; level: "guess"; ended: number }
  // `spared` attempts were not needed, because they would hardly have changed the result.
  | { kind: "agree"; level: Level; count: number; ended: number; spared: number };

/** Modes whose answers have no value: nothing is shown on top, nothing is voted or checked. */
const WITHOUT_VALUE = ["hint", "review", "proof"];

export function hasValue(mode: string): boolean {
  return WITHOUT_VALUE.indexOf(mode) < 0;
}

export function verdictOf(votes: Votes | null): Verdict {
  if (!votes || votes.wanted < 2) return { kind: "single", level: "guess" };
  const { ended, wanted } = votes;
  const leading = votes.votes[0];
  if (!leading) return { kind: "none", level: "guess", ended };
  const { count } = leading;
  if (count < 2) return { kind: "split", level: "guess", ended };
  return { kind: "agree", level: levelOf(count, ended), count, ended, spared: wanted - ended };
}

function levelOf(count: number, ended: number): Level {
  const share = count / Math.max(ended, count);
  if (share >= STRONG_SHARE && count >= STRONG_COUNT) return "strong";
  return share > 0.5 ? "fair" : "weak";
}

/** A row of the votes: a value with its attempts, or the attempts without one (`value` null). */
export interface VoteRow { value: string | null; attempts: number[]; share: number }

/** Returns the rows to show as bars, the leading value first, attempts without a value last. */
export function rowsOf(votes: Votes, endedAttempts: readonly number[]): VoteRow[] {
  const total = Math.max(1, votes.ended);
  const row = ({ value, count, attempt_indices: attempts }: Vote): VoteRow => ({
    value, attempts, share: count / total,
  });
  const rows = votes.votes.map(row);
  const voted = new Set(rows.reduce<number[]>((all, { attempts }) => all.concat(attempts), []));
  const others = endedAttempts.filter((attempt) => !voted.has(attempt));
  if (others.length === 0) return rows;
  return rows.concat({ value: null, attempts: others, share: others.length / total });
}
