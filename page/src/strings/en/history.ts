// English words of the list of a browser's questions.

import type { JobState } from "../../api/shapes.ts";

const states: Record<JobState, string> = {
  queued: "In line",
  running: "Being answered",
  done: "Answered",
  stopped: "Stopped",
  failed: "Not answered",
};

export const history = {
  label: "Your questions",
  search: "Search your questions and answers",
  searchOlder: "Looking through older questions …",
  found: (count: number) => (count === 1 ? "1 problem found" : `${count} problems found`),
  none: "Nothing found. Try fewer or other words.",
  empty: "You have not asked anything yet.",
  ask: "Ask the first question",
  loading: "Fetching your questions …",

  states,
  isNew: "New",
  value: (value: string) => `Answer: ${value}`,
  steps: (count: number) => `${count} steps on one problem`,
  older: "Show older questions",
  loadingOlder: "Fetching older questions …",

  delete: "Delete",
  deleteThis: (question: string) => `Delete: ${question}`,
  reallyDelete: "Delete this question and its answer? They cannot be brought back.",
  reallyDeleteOpen: "This question is still being answered. Stop and delete it? "
    + "It cannot be brought back.",
  yes: "Yes, delete",
  keep: "Keep",
  deleting: "Deleting …",
  deleted: "Deleted.",
  deleteAll: "Delete all",
  reallyDeleteAll: "Delete all your questions and answers? They cannot be brought back. "
    + "Questions that are still being answered are stopped.",
  yesAll: "Yes, delete all",
  deletedAll: "All your questions are deleted.",

  saveLabel: "Save your questions as a file",
  saveMarkdown: "Save for reading (Markdown)",
  saveJson: "Save for programs (JSON)",
  saveFound: "Only what the search found is saved.",
  collecting: (done: number, of: number) => `Collecting: ${done} of ${of}`,
  cancel: "Cancel",
  saved: (count: number) => (count === 1 ? "1 question saved." : `${count} questions saved.`),
  file: {
    title: "Questions to solverbox",
    work: "Own work",
    value: (value: string) => `Answer: ${value}`,
    votes: (ended: number) => `Answers of ${ended} attempts:`,
    cutOff: "The answer was cut off at its limit.",
  },
};
