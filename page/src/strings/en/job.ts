// English words of one question: waiting, thinking, answer, votes, and the steps of learning.

import type { Expectation, Span } from "../../views/job/durations.ts";
import type { Verdict } from "../../views/job/verdict.ts";

const counted = (count: number, one: string) => `${count} ${one}${count === 1 ? "" : "s"}`;

export const job = {
  label: "The answer to your question",
  loading: "Looking up your question …",

  duration: ({ hours, minutes, seconds }: Span) => {
    if (hours > 0) return `${hours} h ${minutes} min`;
    return minutes > 0 ? `${minutes} min ${seconds} s` : `${seconds} s`;
  },
  expectation: (expected: Expectation) => {
    if (expected.kind === "overdue") return "longer than expected";
    if (expected.kind === "within") {
      return `ready in less than ${counted(expected.most, expected.unit)}`;
    }
    const { about, from, to, unit } = expected;
    const range = from < to ? ` (${from} to ${to})` : "";
    return `ready in about ${counted(about, unit)}${range}`;
  },
  tokens: (count: string) => `${count} tokens`,

  state: {
    loadingModel: "In line until the model is loaded …",
    before: (count: number) => `In line: ${count} before yours …`,
    next: "In line: yours is next …",
    reading: "Reading your question …",
    thinking: "Thinking …",
    answering: "Answering …",
    others: (ended: number, wanted: number) => `${ended} of ${wanted} attempts are ready …`,
    gone: "The box does not answer. Trying again …",
    back: "The box is back. Going on …",
    done: "Ready",
    cut: "Ready, but cut off",
    stopped: "Stopped",
    failed: "Not answered",
    lost: "No longer followed",
  },
  stop: "Stop",
  stopping: "Stopping …",
  answerNow: "Answer now",
  answeringNow: "It will answer now …",
  answerNowMeans: "“Answer now” ends the thinking. The box answers with what it has found so far, "
    + "so it is more likely to be wrong.",
  leave: "You can leave this page: the box goes on, and the answer will be under “Your questions”.",
  soFar: (value: string, count: number) => `So far: ${value} (${counted(count, "attempt")})`,
  soFarNone: "The attempts are compared when they are ready.",

  thinking: {
    label: "Thinking",
    hidden: "hidden, because it would give the solution away",
    none: "none for this answer",
    notYet: "begins when it is your turn",
    shown: "Its thinking",
    fold: "Hide the thinking",
    attempts: "Thinking of attempt",
    attempt: (number: number) => `Attempt ${number}`,
    empty: "This attempt has no text.",
    loading: "Loading this attempt …",
  },

  answer: {
    label: "Answer",
    value: "Answer:",
    hintNote: "This is a hint. The solution stays hidden until you ask for it.",
    reviewNote: "These are remarks on your work. The solution stays hidden until you ask for it.",
    readyNote: (time: string) => `Ready after ${time}.`,
    empty: "The box found no answer.",
    yourWork: "Your work",
    moreRemarks: "More remarks",
    line: (number: number) => `Line ${number}`,
  },

  level: {
    strong: "strong agreement", fair: "fair agreement", weak: "weak agreement", guess: "a guess",
  },
  verdict: (verdict: Verdict) => {
    if (verdict.kind === "single") return "This was one attempt, and nothing has checked it.";
    const attempts = counted(verdict.ended, "attempt");
    if (verdict.kind === "none") return `None of ${attempts} has an answer that could be compared.`;
    if (verdict.kind === "split") {
      return verdict.ended === 1
        ? "Only one attempt was ready, and nothing has checked it."
        : `Of ${attempts} no two agree.`;
    }
    const { count, ended, spared } = verdict;
    const agree = count === ended ? `All ${attempts} agree.` : `${count} of ${attempts} agree.`;
    return spared > 0 ? `${agree} ${spared} more would hardly change that.` : agree;
  },
  votes: {
    label: "All answers",
    open: (count: number, ended: number) => `${count} of ${ended} attempts`,
    noValue: "no answer that can be compared",
    list: "Attempts with this answer",
    isShown: "shown above",
    thinking: "Show its thinking",
    foldThinking: "Hide its thinking",
    fold: (number: number) => `Hide attempt ${number}`,
  },
  check: {
    button: "Check with 4 new attempts",
    means: "The box asks your question again, 4 times, and compares the 4 answers. This answer "
      + "is kept.",
    time: (expected: string) => `The check would be ${expected}.`,
  },

  actions: {
    copy: "Copy",
    copied: "Copied",
    notCopied: "Not copied",
    copyFailed: "This browser does not let the page copy. Select the text and copy it yourself.",
    print: "Print",
    again: "Ask again",
  },
  ending: {
    budget: "The answer reached its length limit, so its end is missing.",
    thinkingCut: "The thinking reached its limit before it was finished. Check this answer well.",
    longer: "Ask again with twice the limit",
    stopped: "This question was stopped. What was written so far is kept.",
    failed: "The box could not answer this question. Often it helps to ask again.",
    emptyHelps: "Ask again, or put the question another way.",
  },
  followUp: {
    label: "Go on from this answer",
    placeholder: "What do you want to know next?",
    button: "Go on",
    asking: "Asking …",
    missing: "Type what you want to know next.",
  },

  earlier: (question: string) => `Before this: ${question}`,
  earlierSteps: (count: number) => `${counted(count, "step")} before this one`,
  problem: (question: string) => `The problem: ${question}`,
  earlierAnswer: "Answer",
  noEarlierAnswer: "No answer was kept.",

  ladder: {
    label: "How do you want to go on?",
    steps: {
      hint: "Hint", nextHint: "Next hint", check: "Check my work", solution: "Full solution",
    },
    about: {
      hint: "one idea to start with",
      nextHint: "the next idea",
      check: "you write, the box finds the mistake",
      solution: "everything, with the answer",
    },
    done: "done",
    later: "after the first hint",
    askHint: "Please give me a hint.",
    askNextHint: "Please give me the next hint.",
    really: "Really? Then there is nothing left to find out yourself.",
    yes: "Yes, show it",
    no: "Not yet",
    workLabel: "Your work, one step in each line",
    workHint: "The box will name the line in which something is wrong.",
    send: "Check it",
    missing: "Write down your first step.",
    cancel: "Close",
  },

  fault: {
    askNew: "Ask a new question",
    askSame: "Ask this question again",
    toHistory: "Your questions",
  },
  down: "new",
  downLabel: "text below: go to its end",

  title: {
    place: (place: number) => `In line: ${place}`,
    minutes: (count: number) => `${count} min`,
    working: "Thinking",
    gone: "No connection",
    done: "✓ Ready",
    stopped: "Stopped",
    failed: "✗ Not answered",
    lost: "No longer followed",
  },
  say: {
    asked: (place: number, minutes: number | null) =>
      `${place > 0 ? `You are number ${place} in line.` : "The box is working on your question."}${
        minutes === null ? "" : ` Ready in about ${counted(minutes, "minute")}.`}`,
    place: (place: number, minutes: number | null) =>
      `You are now number ${place} in line.${
      minutes === null ? "" : ` Ready in about ${counted(minutes, "minute")}.`}`,
    minutes: (minutes: number) => `Ready in about ${counted(minutes, "minute")}.`,
    thinking: "The box is thinking.",
    answering: "The box is writing the answer.",
    overdue: "It takes longer than expected.",
    cutOff: "The box does not answer. The page tries again.",
    back: "The box is back and goes on.",
    ready: (value: string) => (value ? `Ready. The answer is ${value}.` : "Ready."),
    stopped: "Stopped.",
    failed: "The question was not answered.",
    lost: "This page no longer follows the question.",
  },
  print: { asked: (date: string) => `Asked on ${date}` },
};
