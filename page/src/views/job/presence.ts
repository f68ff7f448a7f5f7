// What a person notices who does not look at the page: the tab's title and icon, and what a screen
// reader says. Shows nothing on the page itself.

import { effect } from "@preact/signals";
import { say } from "../../state.ts";
import { t } from "../../strings/index.ts";
import { oneLine } from "../ask/one-line.ts";
import { type Announcement, Announcer } from "./announce.ts";
import { type Icon, iconAddress } from "./icon.ts";
import type { JobModel } from "./model.ts";
import { isOver } from "./phase.ts";
import { plainMath } from "./plain-math.ts";
import { hasValue, verdictOf } from "./verdict.ts";

const SITE = "solverbox";
const QUESTION_CHARS = 40;
const NO_ICON = "data:,";

/** Keeps title, icon and announcements up to date; returns how to end that. */
export function followPresence(model: JobModel): () => void {
  const announcer = new Announcer();
  const ends = [
    effect(() => void (document.title = titleOf(model))),
    effect(() => setIcon(iconAddress(iconOf(model)))),
    effect(() => {
      if (!model.job.hasRead.value) return;
      const announcement = announcer.next(momentOf(model));
      if (announcement) say(wordsOf(model, announcement));
    }),
  ];
  return () => {
    for (const end of ends) end();
    document.title = SITE;
    setIcon(NO_ICON);
  };
}

function titleOf(model: JobModel): string {
  const question = oneLine(model.job.info.value.question).slice(0, QUESTION_CHARS);
  return [standing(model), question, SITE].filter((part) => part !== "").join(" – ");
}

function standing(model: JobModel): string {
  const words = t().job.title;
  const phase = model.phase.value;
  if (!model.job.hasRead.value) return "";
  if (isOver(phase)) return words[phase];
  if (model.link.value === "gone") return words.gone;
  const { place } = model.job.info.value;
  if (phase === "queued" && place !== null && place > 0) return words.place(place);
  const minutes = model.minutes.value;
  return minutes === null ? words.working : words.minutes(minutes);
}

function iconOf(model: JobModel): Icon {
  const phase = model.phase.value;
  if (phase === "done" || phase === "stopped" || phase === "failed") return { kind: phase };
  if (phase === "lost") return { kind: "stopped" };
  return { kind: "progress", share: model.share.value };
}

function setIcon(address: string): void {
  const link = document.querySelector<HTMLLinkElement>("link[rel=icon]");
  if (link && link.href !== address) link.href = address;
}

function momentOf(model: JobModel) {
  // Read for its ticks: the minute between two messages has to end some time.
  void model.elapsedS.value;
  return {
    atMs: performance.now(),
    phase: model.phase.value,
    place: model.job.info.value.place ?? 0,
    minutes: model.minutes.value,
    isOverdue: model.expected.value?.kind === "overdue",
    isCutOff: model.link.value === "gone",
  };
}

function wordsOf(model: JobModel, announcement: Announcement): string {
  const words = t().job.say;
  switch (announcement.kind) {
    case "asked":
    case "place":
      return words[announcement.kind](announcement.place, announcement.minutes);
    case "minutes":
      return words.minutes(announcement.minutes);
    case "over":
      return endWords(model);
    default:
      return words[announcement.kind];
  }
}

function endWords(model: JobModel): string {
  const words = t().job.say;
  const phase = model.phase.value;
  if (phase === "stopped") return words.stopped;
  if (phase === "failed") return words.failed;
  if (phase === "lost") return words.lost;
  const { mode, votes } = model.job.info.value;
  if (!hasValue(mode)) return words.ready("");
  const value = plainMath(model.value.value);
  return value ? `${words.ready(value)} ${t().job.verdict(verdictOf(votes))}` : words.ready("");
}
