// What a line of the history says of a job, also to the search: the question without its TeX, and
// the value where it may be known.

import type { ListedJob, ModeList } from "../../api/shapes.ts";
import { history } from "../../jobs/history.ts";
import { modes } from "../../state.ts";
import { scanMath } from "../../text/math.ts";
import { hidesSolution, isLearning } from "../job/ladder.ts";
import { plainMath } from "../job/plain-math.ts";

/** For the signs of "-0123456789". */
const RAISED = "⁻⁰¹²³⁴⁵⁶⁷⁸⁹";
/** Longest part of a question that a line shows; style cuts it further. */
const SHOWN_CHARS = 400;

/** Returns the beginning of a question on one line, with its formulas in plain characters. */
export function questionLine(question: string): string {
  const text = question.slice(0, SHOWN_CHARS);
  const closed = scanMath(text, false).filter(({ isClosed }) => isClosed);
  let line = "";
  let at = 0;
  for (const { start, end } of closed) {
    line += text.slice(at, start) + inPlain(text.slice(start, end));
    at = end;
  }
  line += text.slice(at);
  return line.replace(/\s+/g, " ").trim() + (question.length > SHOWN_CHARS ? " …" : "");
}

/** Returns the value of a job's answer in plain characters, or "". A hint, a review or a proof has
    none: what is boxed there is no answer, or one that must not be given away. */
export function valueLine(job: ListedJob): string {
  if (!job.value || !hasValue(job.mode, modes.value)) return "";
  return inPlain(job.value);
}

/** Returns TeX in plain characters; whole numbers as exponents are raised. */
function inPlain(tex: string): string {
  return plainMath(tex).replace(/\^(-?\d+)(?![\d.,/])/g, (_, digits: string) =>
    digits.replace(/[-\d]/g, (digit) => RAISED.charAt("-0123456789".indexOf(digit))));
}

function hasValue(mode: string, list: ModeList | null): boolean {
  const known = list?.modes.find(({ name }) => name === mode);
  return known ? known.votes : !isLearning(mode);
}

/** Returns whether a job must not show its boxed values and its thinking. */
export function isHidden(job: { id: string; mode: string; previous: string | null }): boolean {
  return hidesSolution(job, history.peek());
}

/** Returns what a search looks at: the question as typed and as shown, and the value. */
export function searchText(job: ListedJob): string {
  const value = valueLine(job);
  return [job.question, questionLine(job.question), value, value && job.value].join("\n");
}
