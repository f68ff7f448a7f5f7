// Makes nodes of the lexer's block tokens. Text never becomes HTML: elements are made one by one,
// and everything that a model wrote ends up in text nodes. Called by block-view.ts.

import type { Token, Tokens } from "marked";
import { fenceCloser } from "./blocks.ts";
import { CodeView } from "./code.ts";
import { appendInline, literal, type Rendering } from "./inline.ts";

/** Containers within containers beyond this are shown as they were written. */
const DEPTH_MAX = 24;
/** The page's own headings come before those of a text. */
const HEADINGS = ["h3", "h4", "h5"];

function create(name: string): HTMLElement {
  const element = document.createElement(name);
  // A text may be written in a language that runs from right to left.
  element.dir = "auto";
  return element;
}

export function appendBlocks(
  parent: Node, tokens: Token[], rendering: Rendering, depth = 0,
): void {
  for (const token of tokens) {
    if (depth > DEPTH_MAX) parent.appendChild(plainParagraph(literal(token.raw, rendering)));
    else appendBlock(parent, token, rendering, depth);
  }
}

function appendBlock(parent: Node, token: Token, rendering: Rendering, depth: number): void {
  switch (token.type) {
    case "space":
      break;
    case "heading": {
      const heading = create(HEADINGS[Math.min(token.depth, HEADINGS.length) - 1] ?? "h3");
      appendInline(heading, token.tokens ?? [], rendering);
      parent.appendChild(heading);
      break;
    }
    case "paragraph": {
      const paragraph = create("p");
      appendInline(paragraph, token.tokens ?? [], rendering);
      parent.appendChild(paragraph);
      break;
    }
    case "text":
      // Of an item whose paragraphs have no space between them.
      appendInline(parent, token.tokens ?? [token], rendering);
      break;
    case "checkbox":
      appendInline(parent, [token], rendering);
      break;
    case "list":
      parent.appendChild(list(token as Tokens.List, rendering, depth));
      break;
    case "blockquote": {
      const quote = create("blockquote");
      appendBlocks(quote, token.tokens ?? [], rendering, depth + 1);
      parent.appendChild(quote);
      break;
    }
    case "hr":
      parent.appendChild(document.createElement("hr"));
      break;
    case "code":
      parent.appendChild(code(token as Tokens.Code, rendering));
      break;
    case "table":
      parent.appendChild(table(token as Tokens.Table, rendering));
      break;
    default:
      parent.appendChild(plainParagraph(literal(token.raw, rendering)));
  }
}

/** Returns a paragraph that shows a text letter by letter. */
export function plainParagraph(text: string): HTMLElement {
  const paragraph = create("p");
  paragraph.className = "as-written";
  paragraph.textContent = text;
  return paragraph;
}

function list(token: Tokens.List, rendering: Rendering, depth: number): HTMLElement {
  const element = document.createElement(token.ordered ? "ol" : "ul");
  if (token.ordered && token.start !== 1) (element as HTMLOListElement).start = Number(token.start);
  let number = Number(token.start);
  for (const item of token.items) {
    const entry = create("li");
    // Numbers that were left out are meant; "1." at each item is not.
    const own = token.ordered ? parseInt(item.raw, 10) : 0;
    if (own > number) (entry as HTMLLIElement).value = number = own;
    number++;
    if (item.task) entry.className = "task";
    appendBlocks(entry, item.tokens, rendering, depth + 1);
    element.appendChild(entry);
  }
  return element;
}

function code(token: Tokens.Code, rendering: Rendering): HTMLElement {
  const lines = token.raw.trimEnd().split("\n");
  const closer = fenceCloser(lines[0] ?? "");
  const isClosed = lines.length > 1 && (closer?.test(lines[lines.length - 1] ?? "") ?? false);
  const view = new CodeView(rendering.wide);
  view.show(literal(token.text, rendering), literal(token.lang ?? "", rendering), isClosed);
  return view.element;
}

function table(token: Tokens.Table, rendering: Rendering): HTMLElement {
  const row = (cells: Tokens.TableCell[], name: string) => {
    const line = document.createElement("tr");
    for (const { tokens, align } of cells) {
      const cell = create(name);
      if (align) cell.className = align;
      appendInline(cell, tokens, rendering);
      line.appendChild(cell);
    }
    return line;
  };
  const head = document.createElement("thead");
  head.appendChild(row(token.header, "th"));
  const body = document.createElement("tbody");
  for (const cells of token.rows) body.appendChild(row(cells, "td"));
  const element = document.createElement("table");
  element.append(head, body);
  const box = document.createElement("div");
  box.className = "table-box";
  box.appendChild(element);
  rendering.wide(box);
  return box;
}
