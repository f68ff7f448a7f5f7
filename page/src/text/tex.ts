// Prepares a formula for KaTeX: says which are too dangerous or too large to be typeset, and mends
// what models write and TeX understands otherwise. Pure; typeset.ts calls it.

/** Longest formula that is typeset. */
const TEX_MAX = 5_000;
/** Longest one that defines commands: a short definition used often is a lot of formula. */
const DEFINING_MAX = 400;
const DEPTH_MAX = 60;

const DEFINES = /\\(?:[gex]?def|let|futurelet|global|long|(?:re|provide)?newcommand)(?![a-zA-Z])/;
const MARK = /\\(?:begin|left)(?![a-zA-Z])|\\(?:end|right)(?![a-zA-Z])|\\[\s\S]|[{}&]/g;
/** Environments that KaTeX lacks or numbers: what is set instead, displayed and in a line. */
const RENAMED: Record<string, [string, string]> = {
  align: ["align*", "aligned"],
  alignat: ["alignat*", "alignedat"],
  eqnarray: ["align*", "aligned"],
  equation: ["equation*", "gathered"],
  flalign: ["align*", "aligned"],
  gather: ["gather*", "gathered"],
  multline: ["gather*", "gathered"],
  split: ["split", "aligned"],
};
const ENVIRONMENT = /\\(begin|end)\s*\{([a-z]+)\*?\}/g;
const BREAK_SPACE = /\\\\(?=\s*$)/;

/** Returns why a formula is not typeset, or null. */
export function refusal(tex: string): string | null {
  if (tex.length > TEX_MAX) return "too long";
  if (tex.length > DEFINING_MAX && DEFINES.test(tex)) return "too many definitions";
  return nesting(tex).deepest > DEPTH_MAX ? "nested too deeply" : null;
}

interface Nesting { deepest: number; breaks: boolean; aligns: boolean }

/** Reads how deeply a formula is nested, and whether it breaks or aligns lines on its own. */
function nesting(tex: string): Nesting {
  const found = { deepest: 0, breaks: false, aligns: false };
  let depth = 0;
  for (const [mark] of tex.matchAll(MARK)) {
    if (mark === "{" || mark === "\\begin" || mark === "\\left") depth++;
    else if (mark === "}" || mark === "\\end" || mark === "\\right") depth--;
    else if (depth === 0 && mark === "&") found.aligns = true;
    else if (depth === 0 && mark === "\\\\") found.breaks = true;
    found.deepest = Math.max(found.deepest, depth);
  }
  return found;
}

/** Returns the formula as KaTeX should read it. */
export function mendTex(tex: string, isDisplay: boolean): string {
  // Models mean per cent and number, not a comment and a parameter.
  const escaped = tex.replace(/(\\[\s\S])|%/g, (mark, command) => command ?? `\\${mark}`);
  const numbered = DEFINES.test(escaped)
    ? escaped
    : escaped.replace(/(\\[\s\S])|#/g, (mark, command) => command ?? `\\${mark}`);
  const known = numbered.replace(ENVIRONMENT, (whole, side: string, name: string) => {
    const better = Object.prototype.hasOwnProperty.call(RENAMED, name) && RENAMED[name];
    return better ? `\\${side}{${better[isDisplay ? 0 : 1]}}` : whole;
  });
  if (!isDisplay) return known;
  const { breaks, aligns } = nesting(known.replace(BREAK_SPACE, ""));
  if (!breaks && !aligns) return known;
  const name = aligns ? "aligned" : "gathered";
  return `\\begin{${name}}${known}\\end{${name}}`;
}

interface MacroContext { consumeArgs(count: number): unknown }

const nothing = (arguments_: number) => (context: MacroContext) => {
  context.consumeArgs(arguments_);
  return "";
};

/** Commands that models write and KaTeX lacks. A new object each time: KaTeX writes into it. */
export function macros(isDisplay: boolean): Record<string, unknown> {
  return {
    ...(isDisplay ? {} : { "\\tag": "\\quad(\\text{#1})" }),
    "\\abs": "\\left|#1\\right|",
    "\\arccosh": "\\operatorname{arccosh}",
    "\\arcsinh": "\\operatorname{arcsinh}",
    "\\arctanh": "\\operatorname{arctanh}",
    "\\csch": "\\operatorname{csch}",
    "\\dd": "\\mathrm{d}",
    "\\divides": "\\mid",
    "\\eqref": "\\text{(#1)}",
    "\\euro": "\\text{€}",
    "\\hfill": "\\quad",
    "\\intertext": "\\\\ \\text{#1} \\\\",
    "\\label": nothing(1),
    "\\lcm": "\\operatorname{lcm}",
    "\\mathds": "\\mathbb{#1}",
    // One that is known already may be defined again.
    "\\newcommand": "\\providecommand",
    "\\noindent": "",
    "\\norm": "\\left\\|#1\\right\\|",
    "\\num": "#1",
    "\\overarc": "\\overset{\\frown}{#1}",
    "\\par": "",
    "\\qed": "\\square",
    "\\ref": "\\text{#1}",
    "\\require": nothing(1),
    "\\sech": "\\operatorname{sech}",
    "\\sgn": "\\operatorname{sgn}",
    "\\SI": "#1\\,\\mathrm{#2}",
    "\\si": "\\mathrm{#1}",
    "\\textdegree": "\\degree",
    "\\textsc": "\\text{#1}",
    "\\uline": "\\underline{#1}",
    "\\vspace": nothing(1),
    "\\wideparen": "\\overset{\\frown}{#1}",
  };
}
