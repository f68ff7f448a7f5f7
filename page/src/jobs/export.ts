// The questions of a browser as a file: Markdown to read, JSON for programs. Pure; the history
// reads the jobs and saves the file. Formulas stay TeX.

import type { Job } from "../api/shapes.ts";
import { isFinal } from "./events.ts";

/** The words of a Markdown file, in the page's language. */
export interface ExportWords {
  title: string;
  work: string;
  value: (value: string) => string;
  votes: (ended: number) => string;
  states: Record<Job["state"], string>;
  cutOff: string;
  modeOf: (mode: string) => string;
  /** Seconds since 1970 as people write a time. */
  time: (seconds: number) => string;
}

/** Returns jobs as one Markdown text, in the order given. */
export function markdownOf(jobs: readonly Job[], words: ExportWords): string {
  return `# ${words.title}\n${jobs.map((job) => `\n${sectionOf(job, words)}`).join("\n---\n")}`;
}

function sectionOf(job: Job, words: ExportWords): string {
  const parts = [`*${words.time(job.asked_at)} · ${words.modeOf(job.mode)}*`, quoted(job.question)];
  if (job.attempt_of_student) parts.push(`**${words.work}**`, quoted(job.attempt_of_student));
  if (job.state !== "done") parts.push(`*${words.states[job.state]}*`);
  else if (job.finish === "budget") parts.push(`*${words.cutOff}*`);
  if (isFinal(job.state) && job.value) parts.push(`**${words.value(formula(job.value))}**`);
  if (job.votes && job.votes.votes.length > 0) parts.push(votesOf(job.votes, words));
  if (job.answer) parts.push(job.answer);
  return `${parts.join("\n\n")}\n`;
}

function votesOf({ votes, ended }: NonNullable<Job["votes"]>, words: ExportWords): string {
  const lines = votes.map(({ value, count }) => `- ${formula(value)}: ${count}`);
  return [words.votes(ended), "", ...lines].join("\n");
}

/** A value is TeX; a plain number or word needs no signs around it. */
function formula(value: string): string {
  return /[\\^_{}]/.test(value) ? `$${value}$` : value;
}

/** A question is a quotation: whatever it holds cannot end there, nor become a heading. */
function quoted(text: string): string {
  return text.trim().split(/\r\n|\r|\n/).map((line) => `> ${line}`.trimEnd()).join("\n");
}

/** Returns jobs as JSON, as the box sends them. */
export function jsonOf(jobs: readonly Job[]): string {
  return `${JSON.stringify({ jobs }, null, 2)}\n`;
}
