// The symbols that the form offers, and what each inserts: the sign itself where a plain text has
// one, TeX where it has none. Pure; the symbol bar shows them, and a keypad for kiosks can.

import { isInFormula } from "./formulas.ts";

export type SymbolName =
  | "formula" | "fraction" | "root" | "power" | "subscript" | "parentheses" | "braces" | "absolute"
  | "pi" | "times" | "divided" | "plusMinus" | "less" | "greater" | "unequal" | "roughly"
  | "infinity" | "degree" | "integral" | "sum" | "arrow" | "angle";

export interface MathSymbol {
  name: SymbolName;
  /** What its button shows. */
  sign: string;
}

/** Text that replaces `[start, end)` of a field; the caret goes to `start + caretOffset`. */
export interface Insertion { start: number; end: number; text: string; caretOffset: number }

/** All symbols, the most common first. */
export const SYMBOLS: readonly MathSymbol[] = [
  { name: "fraction", sign: "a⁄b" },
  { name: "root", sign: "√" },
  { name: "power", sign: "x²" },
  { name: "subscript", sign: "x₁" },
  { name: "times", sign: "×" },
  { name: "divided", sign: "÷" },
  { name: "pi", sign: "π" },
  { name: "less", sign: "≤" },
  { name: "greater", sign: "≥" },
  { name: "unequal", sign: "≠" },
  { name: "roughly", sign: "≈" },
  { name: "plusMinus", sign: "±" },
  { name: "degree", sign: "°" },
  { name: "angle", sign: "∠" },
  { name: "infinity", sign: "∞" },
  { name: "integral", sign: "∫" },
  { name: "sum", sign: "∑" },
  { name: "arrow", sign: "→" },
  { name: "parentheses", sign: "( )" },
  { name: "braces", sign: "{ }" },
  { name: "absolute", sign: "|x|" },
  { name: "formula", sign: "$ $" },
];

/** Text around slots: the selection fills the first slot, the caret goes to the first empty one. */
type Template = readonly string[];

interface Filled { text: string; caretOffset: number }

const FRACTION: Template = ["\\frac{", "}{", "}"];
const ROOT: Template = ["\\sqrt{", "}"];
const EMPTY: Template = ["", ""];

/** Returns what a symbol does to a text whose selection is `[start, end)`; nothing typed is lost.
    Returns null for a formula inside a formula. */
export function insertionOf(
  { name, sign }: MathSymbol, text: string, start: number, end: number,
): Insertion | null {
  const selected = text.slice(start, end);
  // Formulas do not nest: a selected formula becomes part of the new one.
  const term = selected.trim().replace(/\$/g, "");
  const isInside = isInFormula(text, start);
  const asText = (inner: Filled) => ({ start, end, ...inner });
  const asFormula = (inner: Filled) =>
    isInside ? asText(inner) : { start, end, ...wrapped(inner, text, start, end) };
  switch (name) {
    case "formula":
      return isInside ? null : asFormula(filled(EMPTY, term));
    case "fraction":
      return asFormula(filled(FRACTION, term));
    case "root":
      return asFormula(filled(ROOT, term));
    case "power":
    case "subscript": {
      const raise = name === "power" ? "^" : "_";
      if (term) return asFormula(filled([`${asBase(term)}${raise}{`, "}"], ""));
      // The base was just typed, as in "x^2".
      return asText(filled(isInside ? [`${raise}{`, "}"] : [raise], ""));
    }
    case "parentheses":
      return asText(filled(["(", ")"], selected));
    case "braces":
      return asText(filled(isInside ? ["\\{", "\\}"] : ["{", "}"], selected));
    case "absolute":
      return asText(filled(["|", "|"], selected));
    default:
      // A sign goes behind the selection: replacing it would lose what was typed.
      return { start: end, end, text: sign, caretOffset: sign.length };
  }
}

function filled(template: Template, selected: string): Filled {
  const [first = "", ...others] = template;
  const behind = selected ? selected.length + (others[0] ?? "").length : 0;
  return { text: first + selected + others.join(""), caretOffset: first.length + behind };
}

/** Puts parentheses around a base of several terms. */
function asBase(term: string): string {
  return /^([a-z]|\d+|\([^()]*\)|\\[a-z]+)$/i.test(term) ? term : `(${term})`;
}

/** Makes a formula of its own in place of the selection. */
function wrapped(inner: Filled, text: string, start: number, end: number): Filled {
  // Pandoc's rule allows no space inside the delimiters; two dollar signs would open a display.
  const selected = text.slice(start, end);
  const [left = ""] = /^\s*/.exec(selected) ?? [];
  const [right = ""] = /\s*$/.exec(selected.slice(left.length)) ?? [];
  const before = left || (text[start - 1] === "$" ? " " : "");
  const after = right || (text[end] === "$" ? " " : "");
  return {
    text: `${before}$${inner.text}$${after}`,
    caretOffset: before.length + 1 + inner.caretOffset,
  };
}
