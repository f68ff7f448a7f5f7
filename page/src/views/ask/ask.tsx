// The form: one question, the mode, how sure the answer has to be. It sends the draft, shows on the
// spot why the box refused it, and hands an accepted job to the page.

import { useComputed, useSignalEffect } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { askJob, newKey } from "../../api/client.ts";
import type { Mode } from "../../api/shapes.ts";
import { openJob } from "../../jobs/job.ts";
import { current, go, modes, reask, say } from "../../state.ts";
import { t } from "../../strings/index.ts";
import { AskRow, problemOf } from "./ask-row.tsx";
import { draft, edit, isSending, replace, saveNow } from "./draft.ts";
import { DraftNotices, Examples } from "./examples.tsx";
import { Field } from "./field.tsx";
import { HowSure } from "./how-sure.tsx";
import { Length } from "./length.tsx";
import { ModeChoice } from "./mode-choice.tsx";
import { chosenMode } from "./modes.ts";
import { More } from "./more.tsx";
import { noteEdit, submission, submit } from "./submission.ts";

const THE_BOX = { ask: askJob, newKey, now: () => performance.now() };

export function AskView() {
  const wanted = useComputed(() => draft.value.mode).value;
  const mode = chosenMode(modes.value, wanted);
  useSignalEffect(takeOver);
  useEffect(keepDraft, []);
  return (
    <form class="card ask" noValidate onSubmit={(event) => {
      event.preventDefault();
      void ask();
    }}>
      <Question mode={mode} />
      <Examples mode={mode} />
      <DraftNotices />
      <ModeChoice chosen={mode.name} />
      {mode.student_attempt && <Work />}
      <HowSure mode={mode} />
      <More mode={mode} />
      <AskRow />
    </form>
  );
}

function Question({ mode }: { mode: Mode }) {
  return (
    <Field where="question" text={draft.value.question} rows={3} describedBy="keys length"
      isLocked={isSending.value} isWrong={lacks("question")} onAsk={ask}
      onText={(question) => {
        edit({ question });
        noteEdit();
      }}>
      <Length mode={mode} />
    </Field>
  );
}

function Work() {
  return (
    <Field where="work" text={draft.value.work} rows={5} describedBy="work-hint"
      isLocked={isSending.value} isWrong={lacks("work")} onAsk={ask}
      onText={(work) => {
        edit({ work });
        noteEdit();
      }}>
      <p id="work-hint" class="quiet">{t().ask.workHint}</p>
    </Field>
  );
}

function lacks(part: "question" | "work"): boolean {
  const state = submission.value;
  return state.state === "missing" && state.what === part;
}

/** Sends the draft; shows the job, or what is wrong. */
async function ask(): Promise<void> {
  const id = await submit(THE_BOX, chosenMode(modes.peek(), draft.peek().mode));
  if (id) {
    current.peek()?.close();
    current.value = openJob(id);
    go({ name: "job", id });
    return say(t().ask.asked);
  }
  const state = submission.peek();
  const problem = problemOf(state);
  if (problem) say(problem);
  if (state.state !== "missing") return;
  // After the next rendering, which may have to open the part first.
  setTimeout(() => document.getElementById(state.what)?.focus());
}

/** Takes over a question to ask again. */
function takeOver(): void {
  const again = reask.value;
  if (!again) return;
  reask.value = null;
  const { budget_tokens: usual } = chosenMode(modes.peek(), again.mode ?? null);
  const budget = again.budget_tokens ?? usual;
  replace({
    question: again.question.replace(/\r\n?/g, "\n"),
    work: (again.attempt_of_student ?? "").replace(/\r\n?/g, "\n"),
    mode: again.mode ?? null,
    attempts: again.attempts ?? null,
    budget: budget === usual ? "" : String(budget),
    previous: again.previous ?? null,
  });
  noteEdit();
}

/** Stores the draft when the page may be closed, which phones do without a further notice. */
function keepDraft(): () => void {
  addEventListener("pagehide", saveNow);
  document.addEventListener("visibilitychange", saveNow);
  return () => {
    // The page may be loaded again before the next save: see main.tsx.
    saveNow();
    removeEventListener("pagehide", saveNow);
    document.removeEventListener("visibilitychange", saveNow);
  };
}
