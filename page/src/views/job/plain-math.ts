// Formulas as plain text, for places that cannot typeset: the window's title, the live region, the
// one line of newest thinking. Rough on purpose; the typeset form is elsewhere on the page.

const CHARS_MAX = 400;
/** Deepest nesting of fractions and roots that is unfolded. */
const PASSES = 4;

const SYMBOLS: Record<string, string> = {
  times: "×", cdot: "·", div: "÷", pm: "±", mp: "∓", le: "≤", leq: "≤", leqslant: "≤", ge: "≥",
  geq: "≥", geqslant: "≥", ne: "≠", neq: "≠", approx: "≈", equiv: "≡", sim: "∼", to: "→",
  rightarrow: "→", Rightarrow: "⇒", implies: "⇒", iff: "⇔", infty: "∞", circ: "°", degree: "°",
  angle: "∠", triangle: "△", in: "∈", notin: "∉", subset: "⊂", cup: "∪", cap: "∩", emptyset: "∅",
  sum: "∑", prod: "∏", int: "∫", partial: "∂", nabla: "∇", ldots: "…", dots: "…", cdots: "…",
  alpha: "α", beta: "β", gamma: "γ", delta: "δ", Delta: "Δ", epsilon: "ε", varepsilon: "ε",
  theta: "θ", lambda: "λ", mu: "μ", nu: "ν", pi: "π", rho: "ρ", sigma: "σ", Sigma: "Σ", tau: "τ",
  phi: "φ", varphi: "φ", omega: "ω", Omega: "Ω", mid: "|", parallel: "∥", perp: "⊥",
  therefore: "∴", because: "∵", quad: " ", qquad: " ",
};

/** Commands of which only the content matters. */
const WRAPPERS =
  /\\(?:text|textbf|math[a-z]{2,3}|operatorname|boxed|fbox)\s*\{([^{}]*)\}/g;

/** Returns a text with its formulas in plain characters: `\frac{1}{2}` becomes `1/2`. */
export function plainMath(source: string): string {
  let text = source.slice(0, CHARS_MAX).replace(/\^\s*\{?\s*\\circ\s*\}?/g, "°");
  for (let pass = 0; pass < PASSES; pass++) {
    const before = text;
    text = text
      .replace(WRAPPERS, "$1")
      .replace(/\\[dtc]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}/g, (_, over, under) =>
        `${grouped(over)}/${grouped(under)}`)
      .replace(/\\[dt]?frac\s*(\d)\s*(\d)/g, "$1/$2")
      .replace(/\\sqrt\s*\{([^{}]*)\}/g, (_, under) => `√${grouped(under)}`)
      .replace(/([_^])\{([^{}]*)\}/g, (_, sign, small) => sign + grouped(small));
    if (text === before) break;
  }
  return text
    .replace(/\\(?:left|right|displaystyle|limits|big|Big|bigl|bigr)(?![a-zA-Z])/g, "")
    .replace(/( ?)\\([a-zA-Z]+)( ?)/g, (_, before: string, name: string, after: string) =>
      // The space that only ends a command's name does not separate the signs.
      before + (SYMBOLS[name] ?? name) + (before || !SYMBOLS[name] ? after : ""))
    .replace(/\\[,;:! ]/g, " ")
    .replace(/\\[()[\]]/g, "")
    .replace(/\\(.)/g, "$1")
    .replace(/[{}$]/g, "")
    .replace(/\s+/g, " ")
    .trim();
}

/** Puts what is more than one number or name in brackets. */
function grouped(part: string): string {
  const inner = part.trim();
  return /^[\p{L}\p{N}.,√π]*$/u.test(inner) ? inner : `(${inner})`;
}
