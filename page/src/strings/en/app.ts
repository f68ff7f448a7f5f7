// English words of the frame: header, menu, the state of the box.

export const app = {
  newQuestion: "New question",
  history: "Your questions",
  connect: "Connect",
  menu: "Menu",
  language: "中文",
  box: {
    loading: (percent: number) => `The model is loading, ${percent} %. You can ask already.`,
    failed: "The box has a fault. Please tell the person who looks after it.",
    closing: "The box is being switched off. Your questions are kept.",
    gone: "The box does not answer. Trying again …",
    ready: "The box is ready.",
  },
  demo: "Demo model: school arithmetic only. The owner of this box can install VibeThinker, "
    + "which solves far more.",
  caution: "Answers come from a language model and can be wrong: check each step.",
  licences: "Licences",
  basic: "Basic page",
  plainFormulas: "Formulas for screen readers",
  plainFormulasMean: "Formulas are then shown in a form that more screen readers can read. They "
    + "may look plainer.",
};
