// How many questions the box takes, at once and from one person; the owner changes both until the
// box starts again.

import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useId, useMemo } from "preact/hooks";
import { type Limits, getLimits, putLimits } from "../../../api/owner.ts";
import { say } from "../../../state.ts";
import { languageTag } from "../../../strings/index.ts";
import { Failure } from "../../failure.tsx";
import { doing } from "../../job/asking.ts";
import { LIMIT_MAX, limitOf, shownLimit } from "./limit-field.ts";
import { asOwner } from "./session.ts";
import { w } from "./words.ts";

export function LimitsForm() {
  const words = w().limits;
  const known = useSignal<Limits | null>(null);
  const [queue, client] = [useSignal(""), useSignal("")];
  const isSaved = useSignal(false);
  const reading = useMemo(doing, []);
  const saving = useMemo(doing, []);
  const show = (limits: Limits) => {
    known.value = limits;
    queue.value = shownLimit(limits.queue_jobs_max);
    client.value = shownLimit(limits.client_jobs_max);
  };
  const read = () => void reading.run(async () => show(await asOwner(getLimits)));
  useEffect(read, []);

  const [queueMax, clientMax] = [limitOf(queue.value), limitOf(client.value)];
  const isWrong = queueMax === "wrong" || clientMax === "wrong";
  const save = () => {
    if (isWrong) return say(words.wrong(LIMIT_MAX));
    void saving.run(async () => {
      const change: Partial<Limits> = {};
      // An empty field leaves its limit as it is.
      if (queueMax !== "empty") change.queue_jobs_max = queueMax;
      if (clientMax !== "empty") change.client_jobs_max = clientMax;
      show(await asOwner(() => putLimits(change)));
      isSaved.value = true;
      say(words.saved);
    });
  };
  const changed = () => (isSaved.value = false);
  if (!known.value) {
    const fault = reading.fault.value;
    return (
      <section class="card limits">
        <h2>{words.title}</h2>
        {fault ? <Failure error={fault} again={read} /> : <p class="quiet">{w().loading}</p>}
      </section>
    );
  }
  return (
    <form class="card limits" noValidate onSubmit={(event) => {
      event.preventDefault();
      save();
    }}>
      <h2>{words.title}</h2>
      <LimitField label={words.queue} text={queue} changed={changed} />
      <LimitField label={words.client} text={client} changed={changed} />
      <p class="quiet">{words.range(LIMIT_MAX)}</p>
      {saving.fault.value && <Failure error={saving.fault.value} />}
      <div class="limits-row">
        <button type="submit" class="primary" aria-disabled={saving.isBusy.value || isWrong}>
          {saving.isBusy.value ? words.saving : words.save}
        </button>
        {isSaved.value && <p>{words.saved}</p>}
      </div>
    </form>
  );
}

interface FieldProps { label: string; text: Signal<string>; changed(): void }

function LimitField({ label, text, changed }: FieldProps) {
  const words = w().limits;
  const [id, problem] = [useId(), useId()];
  const isWrong = limitOf(text.value) === "wrong";
  return (
    <div class="limit">
      <label for={id}>{label}</label>
      <input id={id} type="text" inputMode="numeric" autocomplete="off" maxLength={6}
        value={text.value} placeholder={words.none} aria-invalid={isWrong}
        aria-describedby={problem} lang={languageTag.value}
        onInput={(event) => {
          text.value = event.currentTarget.value;
          changed();
        }} />
      <p id={problem} class="bad">{isWrong && words.wrong(LIMIT_MAX)}</p>
    </div>
  );
}
