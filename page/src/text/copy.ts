// Copies what is selected as Markdown, with formulas as TeX: what a browser would copy of a
// typeset formula is a heap of letters.

import { sourceOf } from "./sources.ts";

export { copyText } from "./copy-text.ts";

const MARKS: Record<string, string> = { STRONG: "**", EM: "*", DEL: "~~" };
const BLOCKS = /^(?:P|DIV|SECTION|ARTICLE|UL|OL|BLOCKQUOTE|DETAILS|SUMMARY)$/;

/** Returns the Markdown of what is selected. */
export function markdownOf(selection: Selection): string {
  const parts = Array.from({ length: selection.rangeCount }, (_, i) =>
    markdownOfRange(selection.getRangeAt(i)));
  return parts.join("\n\n").replace(/[ \t]+$/gm, "").replace(/\n{3,}/g, "\n\n").trim();
}

/** Copies a selection within an element as Markdown. */
export function copyAsMarkdown(event: ClipboardEvent): void {
  const selection = getSelection();
  if (!selection || selection.isCollapsed || !event.clipboardData) return;
  event.clipboardData.setData("text/plain", markdownOf(selection));
  event.preventDefault();
}

function markdownOfRange(range: Range): string {
  const common = range.commonAncestorContainer;
  const element = common instanceof Element ? common : common.parentElement;
  const formula = element?.closest(".formula");
  if (formula) return sourceOf(formula) ?? "";
  if (element?.closest("pre")) return range.toString();
  return common instanceof Element ? children(common, range) : textOf(common, range);
}

function textOf(node: Node, range: Range): string {
  const text = node.nodeValue ?? "";
  const from = node === range.startContainer ? range.startOffset : 0;
  const to = node === range.endContainer ? range.endOffset : text.length;
  return text.slice(from, to);
}

function children(parent: Node, range: Range): string {
  return Array.from(parent.childNodes, (node) => markdown(node, range)).join("");
}

function markdown(node: Node, range: Range): string {
  if (!range.intersectsNode(node)) return "";
  if (node.nodeType === Node.TEXT_NODE) return textOf(node, range);
  if (!(node instanceof Element) || node.matches(".code-bar, .unseen")) return "";
  const source = sourceOf(node);
  if (source !== undefined) return node.matches(".display") ? `\n${source}\n` : source;
  if (node.nodeName === "PRE") return fence(node, range);
  const inner = children(node, range);
  return inner.trim() === "" && node.nodeName !== "BR" && node.nodeName !== "HR"
    ? inner
    : marked(node, inner);
}

/** Puts the marks of an element around the Markdown of its content. */
function marked(element: Element, inner: string): string {
  const name = element.nodeName;
  const mark = MARKS[name];
  if (mark) return mark + inner + mark;
  if (name === "CODE") return codeSpan(inner);
  if (name === "BR") return "\n";
  if (name === "HR") return "\n\n---\n\n";
  if (/^H[3-6]$/.test(name)) return `\n\n${"#".repeat(Number(name.charAt(1)) - 2)} ${inner}\n\n`;
  if (name === "LI") return item(element, inner);
  if (name === "BLOCKQUOTE") return `\n\n${inner.trim().replace(/^/gm, "> ")}\n\n`;
  if (name === "TR") return row(element, inner);
  if (name === "TD" || name === "TH") return cell(element, inner.trim());
  if (name === "TABLE") return `\n\n${inner}\n\n`;
  if (BLOCKS.test(name)) return `\n\n${inner}\n\n`;
  return inner;
}

function codeSpan(text: string): string {
  const longest = Math.max(0, ...(text.match(/`+/g) ?? []).map((run) => run.length));
  const ticks = "`".repeat(longest + 1);
  const space = text.startsWith("`") || text.endsWith("`") ? " " : "";
  return ticks + space + text + space + ticks;
}

function fence(pre: Element, range: Range): string {
  const language = pre.parentElement?.querySelector(".code-name")?.textContent ?? "";
  const text = children(pre.firstElementChild ?? pre, range).replace(/\n$/, "");
  return `\n\n\`\`\`${language}\n${text}\n\`\`\`\n\n`;
}

function item(element: Element, inner: string): string {
  const bullet = element.parentElement instanceof HTMLOListElement
    ? `${numberOf(element, element.parentElement)}. `
    : "- ";
  const text = inner.trim().replace(/\n{3,}/g, "\n\n")
    .replace(/^☐ /, "[ ] ").replace(/^☑ /, "[x] ");
  return `${bullet}${text.replace(/\n(?=[^\n])/g, `\n${" ".repeat(bullet.length)}`)}\n`;
}

function numberOf(item: Element, list: HTMLOListElement): number {
  let number = list.start - 1;
  for (const other of Array.from(list.children)) {
    number = (other as HTMLLIElement).value || number + 1;
    if (other === item) break;
  }
  return number;
}

function cell(element: Element, inner: string): string {
  // An escaped bar within a formula would be another sign.
  return `| ${element.querySelector(".formula") ? inner : inner.replace(/\|/g, "\\|")} `;
}

function row(element: Element, inner: string): string {
  const isHead = element.parentElement?.nodeName === "THEAD";
  const cells = Array.from(element.children);
  const rule = `\n${cells.map(() => "|---").join("")}|`;
  return `${inner.trim()} |${isHead ? rule : ""}\n`;
}
