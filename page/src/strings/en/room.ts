// English words of the room: connecting, a shared question, the projector, the kiosk.

export const room = {
  codeOf: (address: string) => `QR code: ${address}`,

  connect: {
    title: "Use this box on your own phone or computer",
    how: "Join the same network as the box. Then scan a code with the camera, or type the address "
      + "into the browser.",
    loading: "Looking up the addresses of this box …",
    number: "Works on every device.",
    name: "Works on most devices. If it does not, use the address with numbers.",
    onlyName: "If it does not work, ask the person who looks after the box for its address with "
      + "numbers.",
    none: "No other device can reach this box, because it only answers on this computer.",
    way: "The person who looks after the box can change that. Start the box like this, then load "
      + "this page again:",
  },

  share: {
    button: "Take along",
    title: "Take this question along",
    how: "Scan the code with your phone. It then shows this question and its answer, while the "
      + "phone is in the same network as this box.",
    rights: "Anyone who has the link can read this question and its answer, and nothing else, "
      + "until you take the link back or the question is deleted.",
    making: "Making the link …",
    none: "No other device can reach this box yet, so a link would not work.",
    copy: "Copy the link",
    big: "Show it large, for a projector",
    withdraw: "Take the link back",
    withdrawing: "Taking it back …",
    withdrawn: "The link no longer works.",
    close: "Close",
  },

  shared: {
    about: "Somebody shared this question and its answer with you. You can read both here.",
    loading: "Fetching the question …",
    withdrawn: "This link no longer works.",
    why: "Its owner took it back, or the question was deleted.",
    withdrawnNow: "The link was taken back. What you see stays until you close this page.",
    ask: "Ask a question of your own",
    question: "Question",
    work: "Own work",
  },

  projector: {
    label: "Question and answer, shown large",
    answer: "Answer",
    waiting: "The answer is not there yet.",
    hint: "→ or the space bar shows the next part, ← hides it again.",
    next: "Show the next part",
    back: "Hide the last part",
    place: (shown: number, all: number) => `${shown} of ${all}`,
  },

  keypad: {
    label: "Keypad",
    letters: "Letters",
    mathematics: "Mathematics",
    signs: "More signs",
    shift: "Capital letters",
    back: "Delete",
    undo: "Undo",
    left: "Move left",
    right: "Move right",
    space: "Space",
    enter: "New line",
    fold: "Hide the keypad",
    open: "Keypad",
  },

  kiosk: {
    done: "I am done",
    title: "Are you still there?",
    clears: (seconds: number) =>
      `In ${seconds} s this page is cleared for the next person. Your questions and answers are `
      + "deleted then.",
    stay: "I am still here",
    now: "Clear now",
    leaving: "One moment: the page is being cleared for the next person …",
    gone: "The box does not answer. The page is cleared as soon as it is back.",
  },
};
