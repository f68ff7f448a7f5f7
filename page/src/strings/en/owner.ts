// English words of the owner's view. Loaded with it, not with the page.

import type { JobState } from "../../api/shapes.ts";

const questions = (count: number) => (count === 1 ? "1 question" : `${count} questions`);
const states: Record<JobState, string> = {
  queued: "in line", running: "being answered", done: "answered", stopped: "stopped",
  failed: "not answered",
};

export const owner = {
  title: "For the owner of this box",
  loading: "One moment …",

  signIn: {
    pin: "Owner's PIN",
    button: "Sign in",
    busy: "Signing in …",
    wrong: "This PIN is wrong.",
    tooSoon: "After wrong PINs the box waits before it takes another one.",
    length: "A PIN has 6 to 64 characters.",
    wait: (seconds: number) => `You can try again in ${seconds} s.`,
    waitLong: (minutes: number) => `You can try again in ${minutes} min.`,
    waitOver: "You can try again now.",
    noPin: "This box has no PIN yet, so nobody can sign in. Set one on the box itself:",
    look: "I have set it",
    expired: "You were signed out. Please sign in again.",
    plain: "Everyone who can listen to this network could read the PIN. In doubt, sign in on the "
      + "box itself.",
  },
  signOut: "Sign out",

  queue: {
    title: "Questions in the box",
    empty: "No question is waiting or being answered.",
    states,
    place: (place: number) => `place ${place}`,
    attempts: (count: number) => (count === 1 ? "1 attempt" : `${count} attempts`),
    client: (name: string) => `asked by ${name}`,
    asked: (time: string) => `at ${time}`,
    minutes: (count: number) => `about ${count} min left`,
    soon: "less than 1 min left",
    move: "To the front",
    moveThis: (name: string) => `To the front: ${name}`,
    moved: "Moved to the front.",
    stop: "Stop",
    stopThis: (name: string) => `Stop: ${name}`,
    stopped: "Stopped.",
    delete: "Delete",
    deleteThis: (name: string) => `Delete: ${name}`,
    reallyDelete: "Stop this question and delete it with its text? It cannot be brought back.",
    yesDelete: "Yes, delete",
    deleted: "Deleted.",
    stopAll: "Stop all",
    reallyStopAll: (count: number) => `Stop ${questions(count)}? Their texts so far are kept.`,
    yesStopAll: "Yes, stop all",
    stoppedAll: "All questions are stopped.",
    keep: "Keep",
    acting: "One moment …",
    name: (mode: string, client: string) => `${mode}, ${client}`,
  },

  limits: {
    title: "Limits",
    queue: "Most questions in the box at once",
    client: "Most questions of one person at once",
    range: (most: number) =>
      `Whole numbers from 1 to ${most}. They hold until the box starts again.`,
    none: "no limit",
    save: "Save",
    saving: "Saving …",
    saved: "Saved.",
    wrong: (most: number) => `This must be a whole number from 1 to ${most}.`,
  },

  figures: {
    title: "The box",
    model: "Model",
    demo: "demo model, school arithmetic only",
    size: (size: string) => `${size} GB`,
    sizeMb: (size: string) => `${size} MB`,
    state: "State",
    states: {
      ready: "ready",
      loading: "loading the model",
      failed: "has a fault: its log says why",
      closing: "switching off",
    },
    work: "At work",
    atWork: (running: number, waiting: number) =>
      `${questions(running)} being answered, ${waiting} waiting`,
    speed: "Speed",
    tokens: (count: string) => `${count} tokens per second`,
    noSpeed: "nothing answered yet",
    heat: "Heat",
    celsius: (degrees: string) => `${degrees} °C`,
    hot: "This is hot. From about 80 °C on, most boards slow down: give it air.",
    unknown: "not known here",
    memory: "Memory",
    memoryOf: (used: string, planned: string) => `${used} MB used, ${planned} MB planned`,
    planned: (planned: string) => `${planned} MB planned`,
    version: "Version",
    since: "Running since",
  },

  usage: {
    title: "The last 14 days",
    loading: "Counting …",
    missing: "This box does not count its questions yet. A newer version does.",
    none: "No question was answered in these days.",
    sum: (count: number, days: number) =>
      `${questions(count)} in ${days} days, those that were deleted later included.`,
    chart: (count: number, day: string, most: number) =>
      `Questions in each hour, by mode: ${questions(count)}, most on ${day}: ${most}.`,
    asTable: "Show as a table",
    asChart: "Show as a chart",
    hour: "Hour",
    total: "All",
    tableLabel: "Questions in each hour, by mode",
    axis: "Questions in an hour",
  },
};
