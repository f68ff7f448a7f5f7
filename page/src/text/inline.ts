// Makes nodes of the lexer's inline tokens: emphasis, code, formulas, and links as the text that
// they are. Called by render.ts for each text within a block.

import type { Token, Tokens } from "marked";
import { tightenText } from "./emphasis.ts";
import { decodeEntities } from "./entities.ts";
import type { Segment } from "./math.ts";
import { parts, type Protected, restore } from "./protect.ts";

/** What rendering a block needs besides its tokens. */
export interface Rendering {
  whole: Protected;
  formula(segment: Segment): HTMLElement;
  /** Told each element that may be wider than the page. */
  wide(element: HTMLElement): void;
}

const ELEMENTS: Record<string, string> = { strong: "strong", em: "em", del: "del" };

/** Returns what the lexer was given for a text of a token that is shown letter by letter. */
export function literal(text: string, rendering: Rendering): string {
  return tightenText(restore(text, rendering.whole));
}

export function appendText(parent: Node, text: string): void {
  const last = parent.lastChild;
  if (last?.nodeType === Node.TEXT_NODE) (last as Text).appendData(text);
  else if (text) parent.appendChild(document.createTextNode(text));
}

const isDisplay = (node: Node | null) =>
  node instanceof HTMLElement && node.classList.contains("display");

function appendSegment(parent: Node, segment: Segment, rendering: Rendering): void {
  if (!segment.isClosed) {
    const span = document.createElement("span");
    span.className = "as-written";
    span.textContent = segment.source;
    parent.appendChild(span);
    return;
  }
  const formula = rendering.formula(segment);
  // It stands in a line of its own already.
  if (isDisplay(formula) && parent.lastChild?.nodeName === "BR") parent.lastChild.remove();
  parent.appendChild(formula);
}

function appendMixed(parent: Node, text: string, rendering: Rendering): void {
  for (const part of parts(text, rendering.whole)) {
    if (typeof part === "string") appendText(parent, decodeEntities(tightenText(part)));
    else appendSegment(parent, part, rendering);
  }
}

function appendLink(
  parent: Node, token: Tokens.Link | Tokens.Image, rendering: Rendering,
): void {
  const before = parent.lastChild;
  const length = parent.textContent?.length ?? 0;
  if (token.type === "image") appendMixed(parent, token.text, rendering);
  else appendInline(parent, token.tokens, rendering);
  const address = literal(token.href, rendering);
  const shown = (parent.textContent ?? "").slice(length);
  const isBare = ["", "mailto:", "http://"].some((scheme) => scheme + shown === address);
  if (isBare) return;
  const isNamed = parent.lastChild !== before || shown !== "";
  appendText(parent, isNamed ? ` (${address})` : address);
}

export function appendInline(parent: Node, tokens: Token[], rendering: Rendering): void {
  for (const token of tokens) {
    const name = ELEMENTS[token.type];
    if (name) {
      const element = document.createElement(name);
      appendInline(element, (token as Tokens.Strong).tokens, rendering);
      parent.appendChild(element);
    } else {
      appendLeaf(parent, token, rendering);
    }
  }
}

function appendLeaf(parent: Node, token: Token, rendering: Rendering): void {
  switch (token.type) {
    case "codespan": {
      const code = document.createElement("code");
      code.textContent = literal(token.text, rendering);
      parent.appendChild(code);
      break;
    }
    case "br":
      if (!isDisplay(parent.lastChild)) parent.appendChild(document.createElement("br"));
      break;
    case "link":
    case "image":
      appendLink(parent, token as Tokens.Link | Tokens.Image, rendering);
      break;
    case "html":
      appendText(parent, literal(token.raw, rendering));
      break;
    case "checkbox":
      appendText(parent, token.checked ? "☑ " : "☐ ");
      break;
    case "text":
    case "escape":
      appendMixed(parent, token.text, rendering);
      break;
    default:
      appendText(parent, literal(token.raw, rendering));
  }
}
