// English words for what can go wrong with a request, whichever part of the page sent it: a
// sentence for each kind of error, and a way out for a pupil.

import type { ErrorKind } from "../../api/shapes.ts";

interface ErrorWords { what: string; remedy: string }

const errors: Record<ErrorKind, ErrorWords> = {
  bad_request: {
    what: "The box cannot read this.",
    remedy: "Change it a little and try again. If that does not help, reload the page.",
  },
  unauthorized: {
    what: "The box does not know this browser any more.",
    remedy: "Reload the page and try again.",
  },
  forbidden: {
    what: "The box does not allow this.",
    remedy: "Ask the person who looks after the box.",
  },
  not_found: {
    what: "This question is not in the box any more, or another browser asked it.",
    remedy: "Look under “Your questions”, or ask it again.",
  },
  conflict: {
    what: "The question was changed while it was being sent.",
    remedy: "Press the button once more.",
  },
  too_long: {
    what: "This is too long for the box.",
    remedy: "Make it shorter, or ask it in two parts.",
  },
  misdirected: {
    what: "The box does not answer at this address.",
    remedy: "Ask the person who looks after the box for the right address.",
  },
  too_many: {
    what: "You have as many open questions as the box takes from one person.",
    remedy: "Wait until one is answered, or stop one under “Your questions”.",
  },
  internal: {
    what: "Something went wrong inside the box.",
    remedy: "Try again. If it happens again, tell the person who looks after the box.",
  },
  bad_model: {
    what: "The model in this box does not work.",
    remedy: "Tell the person who looks after the box.",
  },
  environment: {
    what: "The box cannot use its disk or its network.",
    remedy: "Tell the person who looks after the box.",
  },
  busy: {
    what: "The box has too much to do at the moment.",
    remedy: "Wait a little, then try again.",
  },
  stopped: {
    what: "The box was switched off before this was done.",
    remedy: "Try again in a minute. If it happens again, put the question another way.",
  },
  no_model: {
    what: "This box has no model yet, so it cannot answer.",
    remedy: "Tell the person who looks after the box: it needs a model file.",
  },
  no_memory: {
    what: "The box does not have enough memory for this.",
    remedy: "Ask with fewer attempts, or tell the person who looks after the box.",
  },
  no_space: {
    what: "The disk of the box is full, so it takes no new questions.",
    remedy: "Delete old questions under “Your questions”, or tell the person who looks after it.",
  },
  unreachable: {
    what: "The box cannot be reached.",
    remedy: "Check that the box is switched on and that you are in its network, then try again.",
  },
  nonsense: {
    what: "This reply did not come from the box.",
    remedy: "Perhaps the network wants you to log in first. Then reload the page.",
  },
};

export const client = {
  errors,
  again: (seconds: number) => `Try again in ${seconds} s.`,
  againNow: "You can try again now.",
  tryAgain: "Try again",
};
