// How long the question is, from half of what the box accepts on. An estimate: the box decides.

import { useMemo } from "preact/hooks";
import type { Mode } from "../../api/shapes.ts";
import { modes } from "../../state.ts";
import { languageTag, t } from "../../strings/index.ts";
import { draft } from "./draft.ts";
import { estimateTokens, roundTokens } from "./tokens.ts";

export function Length({ mode }: { mode: Mode }) {
  const words = t().ask;
  const { question, work } = draft.value;
  const sent = mode.student_attempt ? work : "";
  const asked = useMemo(() => estimateTokens(question), [question]);
  const tokens = asked + useMemo(() => estimateTokens(sent), [sent]);
  const most = modes.value?.question_tokens_max;
  if (!most || tokens < most / 2) return null;
  const [about, limit] = [roundTokens(tokens), most].map((count) =>
    count.toLocaleString(languageTag.value)) as [string, string];
  return tokens > most
    ? <p id="length" class="bad">{words.tooLong(about, limit)}</p>
    : <p id="length" class="quiet">{words.length(about, limit)}</p>;
}
