// English words of the form: question, modes, attempts, symbols, and why a question was not taken.

export const ask = {
  question: "Your question",
  work: "Your own work",
  workHint: "Write down what you did, line by line. It will be read and checked.",
  keys: "Enter asks, Shift+Enter starts a new line.",
  preview: "Preview",
  previewOf: (field: string) => `Preview: ${field}`,
  button: "Ask",
  asking: "Asking …",
  asked: "Asked. Your question is kept, even if you close this page.",

  modeLabel: "What do you want?",
  modes: {
    math: { name: "Math", about: "Solves it step by step" },
    code: { name: "Code", about: "Writes a program" },
    hint: { name: "Hint", about: "Gives only the next idea" },
    review: { name: "Review", about: "Checks your own work" },
    proof: { name: "Proof", about: "Proves every step" },
    plain: { name: "Plain", about: "Gives a short answer" },
  },
  needsModel: "needs a real model",
  needsModelSaid: (mode: string) => `${mode} needs a real model.`,
  realModel: {
    summary: "How do I get a real model?",
    what: "This box uses its small demo model. It knows school arithmetic and nothing else. "
      + "VibeThinker is a free model that can do everything on this page.",
    how: "The owner of this box installs it once. This takes about an hour, and a computer with "
      + "internet and 10 GB of free space:",
    steps: [
      "Download VibeThinker-1.5B and convert it; models/README.md of solverbox has the commands.",
      "Copy the new file (it ends in .gguf) into the folder “models” of this box.",
      "Start solverbox again. Then all modes work.",
    ],
  },

  sureLabel: "How sure?",
  sureHint: "Several attempts vote: right more often, but it takes longer.",
  attempts: (count: number) => (count === 1 ? "1 attempt" : `${count} attempts`),
  expected: (time: string) => `Time to the answer: ${time}`,
  units: { second: "s", minute: "min", hour: "h" },
  about: (count: number, unit: string) => `about ${count} ${unit}`,
  within: (count: number, unit: string) => `within ${count} ${unit}`,

  more: "More",
  budget: "Thinking limit, in tokens",
  budgetHint: (tokens: string) => "A token is a piece of a word. With more tokens, the box can "
    + `think longer about a hard question. If you leave this empty, it may use ${tokens}.`,

  examplesLabel: "Or tap an example:",
  replaced: "Your text was replaced.",
  bringBack: "Bring my text back",
  goesOn: "This question goes on from an earlier answer.",
  startNew: "Ask it on its own",

  length: (tokens: string, most: string) => `Length: about ${tokens} of ${most} tokens`,
  tooLong: (tokens: string, most: string) =>
    `Length: about ${tokens} of ${most} tokens. This is probably too long: shorten it.`,

  notPasted: (tokens: string) =>
    `Not pasted: this text has about ${tokens} tokens, far more than the box can read. `
    + "Paste only the part that matters.",

  missing: {
    question: "Type a question first.",
    work: "Write down your own work first. This mode checks it.",
    budget: (most: string) => `The thinking limit must be a whole number from 1 to ${most}.`,
  },
  problem: (what: string, remedy: string) => `${what} ${remedy}`,
  again: (seconds: number) => `You can ask again in ${seconds} s.`,
  againNow: "You can ask again now.",

  symbolsFor: (field: string) => `Symbols for: ${field}`,
  symbols: {
    formula: "Formula",
    fraction: "Fraction",
    root: "Square root",
    power: "Power",
    subscript: "Subscript",
    parentheses: "Parentheses",
    braces: "Braces",
    absolute: "Absolute value",
    pi: "Pi",
    times: "Times",
    divided: "Divided by",
    plusMinus: "Plus or minus",
    less: "Less than or equal to",
    greater: "Greater than or equal to",
    unequal: "Not equal to",
    roughly: "Approximately equal to",
    infinity: "Infinity",
    degree: "Degree",
    integral: "Integral",
    sum: "Sum",
    arrow: "Arrow",
    angle: "Angle",
  },

  folded: {
    label: "Your question",
    show: "Show the whole question",
    hide: "Show less",
    mode: (mode: string, attempts: number) =>
      `Mode: ${mode}${attempts > 1 ? `, ${attempts} attempts` : ""}`,
    newQuestion: "New question",
  },
};
