// What can be done with an answer: copy, print, ask again, take along. Works over plain HTTP, where
// browsers may refuse to copy: then it says what to do instead.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { getBox } from "../../api/client.ts";
import { door, say } from "../../state.ts";
import { t } from "../../strings/index.ts";
import { copyText } from "../../text/copy.ts";
import { TakeAlong } from "../room/share/take-along.tsx";
import { askAgain } from "./ending.tsx";
import type { JobModel } from "./model.ts";

/** How long a button says what came of it. */
const SAID_MS = 2_500;

export function Actions({ model }: { model: JobModel }) {
  const words = t().job.actions;
  const isTicketOpen = useSignal(false);
  if (!model.isOver.value) return null;
  const hasAnswer = model.answer.value !== "";
  return (
    <div class="job-actions">
      {hasAnswer && <Copy model={model} />}
      {/* The browser's print view would cover a kiosk. */}
      {hasAnswer && door.name !== "kiosk" && (
        <button type="button" onClick={() => window.print()}>{words.print}</button>
      )}
      {!model.isShared && (
        <button type="button" onClick={() => askAgain(model)}>{words.again}</button>
      )}
      {hasAnswer && <RunPlace />}
      {!model.isShared && !model.isTicketOpen.value && (
        <TakeAlong job={model.job} isOpen={isTicketOpen} />
      )}
    </div>
  );
}

function Copy({ model }: { model: JobModel }) {
  const words = t().job.actions;
  const result = useSignal<"none" | "copied" | "failed">("none");
  const copy = async () => {
    const isCopied = await copyText(model.answer.peek());
    result.value = isCopied ? "copied" : "failed";
    say(isCopied ? words.copied : words.copyFailed);
  };
  useEffect(() => {
    if (result.value !== "copied") return undefined;
    const timer = setTimeout(() => (result.value = "none"), SAID_MS);
    return () => clearTimeout(timer);
  }, [result.value]);
  const label = { none: words.copy, copied: words.copied, failed: words.notCopied }[result.value];
  return (
    <>
      <button type="button" class="job-copy" onClick={() => void copy()}>{label}</button>
      {result.value === "failed" && <p class="job-wide">{words.copyFailed}</p>}
    </>
  );
}

/** The place of *Run*, for a box that can run programs; empty and unseen for all others. */
function RunPlace() {
  const canRun = useSignal(false);
  useEffect(() => {
    getBox().then(({ run }) => (canRun.value = run === true), () => {});
  }, []);
  return canRun.value ? <div class="job-run" /> : null;
}
