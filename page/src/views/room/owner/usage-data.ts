// The usage of a box in the forms that its chart and its table need. Pure.

import type { UsageEntry } from "../../../api/owner.ts";

const HOUR_S = 3_600;

/** The modes, the most used first. */
export function modesOf(entries: readonly UsageEntry[]): string[] {
  const totals = new Map<string, number>();
  for (const { mode, jobs } of entries) totals.set(mode, (totals.get(mode) ?? 0) + jobs);
  const sorted = [...totals].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
  return sorted.map(([mode]) => mode);
}

export interface UsageRow { hour: number; counts: number[]; total: number }

/** The hours in which questions ended, the latest first, with a count for each mode. */
export function rowsOf(entries: readonly UsageEntry[], modes: readonly string[]): UsageRow[] {
  const rows = new Map<number, UsageRow>();
  for (const { at: hour, mode, jobs } of entries) {
    const row = rows.get(hour) ?? { hour, counts: modes.map(() => 0), total: 0 };
    const column = modes.indexOf(mode);
    row.counts[column] = (row.counts[column] ?? 0) + jobs;
    row.total += jobs;
    rows.set(hour, row);
  }
  return [...rows.values()].filter(({ total }) => total > 0).sort((a, b) => b.hour - a.hour);
}

/** The columns of a chart: each hour of the time, and for each mode its count on top of those of
    the modes before it. */
export interface Stack { hours: number[]; tops: number[][] }

/** Stacks the modes over all hours of the last days. `nowS` is believed unless it is far from the
    entries: the clocks of a board and of a browser differ. */
export function stackOf(
  entries: readonly UsageEntry[], modes: readonly string[], days: number, nowS: number,
): Stack {
  const span = days * 24;
  const latest = Math.max(...entries.map(({ at }) => at));
  const isPlausible = nowS >= latest && nowS - latest < span * HOUR_S;
  // In the steps of the entries, which need not be whole hours of this browser's time zone.
  const steps = isPlausible ? Math.floor((nowS - latest) / HOUR_S) : 0;
  const first = latest + (steps - span + 1) * HOUR_S;
  const hours = Array.from({ length: span }, (_, at) => first + at * HOUR_S);
  const tops = modes.map(() => hours.map(() => 0));
  for (const { at, mode, jobs } of entries) {
    const column = Math.round((at - first) / HOUR_S);
    // Each mode above it stands on it.
    for (let above = modes.indexOf(mode); above < modes.length; above++) {
      const top = tops[above];
      if (top?.[column] !== undefined) top[column] += jobs;
    }
  }
  return { hours, tops };
}

/** The day with the most questions; `at` is within it. */
export interface BusiestDay { at: number; jobs: number }

/** Finds the day with the most questions; `dayOf` names the day of a time. */
export function busiestDay(
  entries: readonly UsageEntry[], dayOf: (seconds: number) => string,
): BusiestDay | null {
  const days = new Map<string, BusiestDay>();
  for (const { at, jobs } of entries) {
    const day = days.get(dayOf(at)) ?? { at, jobs: 0 };
    days.set(dayOf(at), { ...day, jobs: day.jobs + jobs });
  }
  return [...days.values()].reduce<BusiestDay | null>(
    (most, day) => (!most || day.jobs > most.jobs ? day : most), null);
}
