// Saves the questions of this browser as a file: reads each from the box, with its progress and a
// way to end that, then offers the file.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { type BoxError, asBoxError } from "../../api/client.ts";
import type { Job } from "../../api/shapes.ts";
import { say } from "../../state.ts";
import { languageTag, t } from "../../strings/index.ts";
import { modeWords } from "../ask/mode-words.ts";
import { collect, save } from "./collect.ts";
import { Failure } from "../failure.tsx";
import { fullTime } from "./when.ts";

type Format = "md" | "json";

interface SavingProps {
  /** Whether a search narrows what is saved. */
  isSearch: boolean;
  /** Returns the ids to be saved, after all of them have been listed. */
  list: () => Promise<string[]>;
}

export function Saving({ isSearch, list }: SavingProps) {
  const words = t().history;
  const progress = useSignal<{ done: number; of: number } | null>(null);
  const error = useSignal<BoxError | null>(null);
  const stopper = useRef<AbortController | null>(null);
  useEffect(() => () => stopper.current?.abort(), []);

  const run = async (format: Format) => {
    if (progress.value) return;
    const { signal } = (stopper.current = new AbortController());
    [progress.value, error.value] = [{ done: 0, of: 0 }, null];
    try {
      const ids = await list();
      const of = ids.length;
      const jobs = await collect(ids, (done) => (progress.value = { done, of }), signal);
      if (signal.aborted) return;
      await offer(jobs, format);
      say(words.saved(jobs.length));
    } catch (thrown) {
      if (!signal.aborted) error.value = asBoxError(thrown);
    } finally {
      progress.value = null;
    }
  };

  return (
    <section class="saving" aria-label={words.saveLabel}>
      {progress.value ? (
        <p>
          {words.collecting(progress.value.done, progress.value.of)}{" "}
          <button type="button" onClick={() => stopper.current?.abort()}>{words.cancel}</button>
        </p>
      ) : (
        <p>
          <button type="button" class="plain" onClick={() => void run("md")}>
            {words.saveMarkdown}
          </button>
          <button type="button" class="plain" onClick={() => void run("json")}>
            {words.saveJson}
          </button>
        </p>
      )}
      {isSearch && <p class="quiet">{words.saveFound}</p>}
      {error.value && <Failure error={error.value} />}
    </section>
  );
}

/** Writes the file and hands it to the browser. */
async function offer(jobs: Job[], format: Format): Promise<void> {
  // Not part of the first load: few people save, and no answer waits for it.
  const { jsonOf, markdownOf } = await import("../../jobs/export.ts");
  const name = `solverbox-${new Date().toISOString().slice(0, 10)}.${format}`;
  if (format === "json") return save(name, "application/json", jsonOf(jobs));
  const { file, states } = t().history;
  const language = languageTag.peek();
  const text = markdownOf(jobs, {
    ...file, states,
    modeOf: (mode) => modeWords(mode).name,
    time: (seconds) => fullTime(seconds, language),
  });
  save(name, "text/markdown;charset=utf-8", text);
}
