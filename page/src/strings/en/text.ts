// English words of rendered texts: code blocks, and parts that scroll.

export const text = {
  copy: "Copy",
  copied: "Copied",
  copyFailed: "Copying did not work",
  copyCode: "Copy code",
  formulaScrolls: "Wide formula, scrolls sideways",
  codeScrolls: "Wide code, scrolls sideways",
  tableScrolls: "Wide table, scrolls sideways",
  faultyFormula: "This formula cannot be shown, so its source is",
};
