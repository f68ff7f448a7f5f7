// A block of code: highlighted once it is whole, with a button that copies it and an empty place
// for a button that runs it. Grows without being made again while the model writes it.

import { effect } from "@preact/signals";
import { say } from "../state.ts";
import { t } from "../strings/index.ts";
import { highlightChunk } from "./chunks.ts";
import { copyText } from "./copy-text.ts";

/** Longest code that is highlighted. */
const HIGHLIGHT_MAX = 20_000;
const NAME_MAX = 20;
const SAID_MS = 2_000;

/** A node of lowlight's tree. */
interface Hast {
  type: string;
  value?: string;
  children?: Hast[];
  properties?: { className?: string[] };
}

const codes = new WeakMap<Element, { code: string; language: string }>();
let followsLanguage = false;

/** Returns the code next to the `data-run-slot` element, and its language. */
export function codeOf(slot: Element): { code: string; language: string } | undefined {
  return codes.get(slot);
}

/** Names all buttons again when the language changes: they are not components. */
function followLanguage(): void {
  if (followsLanguage) return;
  followsLanguage = true;
  effect(() => {
    t();
    for (const button of document.querySelectorAll(".copy-code")) nameButton(button);
  });
}

function nameButton(button: Element): void {
  button.textContent = t().text.copy;
  button.setAttribute("aria-label", t().text.copyCode);
}

export class CodeView {
  readonly element = document.createElement("div");
  private readonly name = document.createElement("span");
  private readonly slot = document.createElement("span");
  private readonly pre = document.createElement("pre");
  private readonly text = document.createTextNode("");
  private readonly wide: (element: HTMLElement) => void;
  private isClosed = false;

  /** `wide` is told when the code may have become wider than the page. */
  constructor(wide: (element: HTMLElement) => void) {
    this.wide = wide;
    const bar = document.createElement("div");
    const button = document.createElement("button");
    const code = document.createElement("code");
    this.element.className = "code-block";
    bar.className = "code-bar";
    this.name.className = "code-name";
    this.slot.setAttribute("data-run-slot", "");
    button.type = "button";
    button.className = "plain copy-code";
    button.addEventListener("click", () => void this.copy(button));
    nameButton(button);
    followLanguage();
    this.pre.dir = "ltr";
    code.append(this.text);
    this.pre.append(code);
    bar.append(this.name, this.slot, button);
    this.element.append(bar, this.pre);
  }

  /** Shows the code so far. `info` is what stands behind the opening of its fence. */
  show(code: string, info: string, isClosed: boolean): void {
    if (this.isClosed) return;
    const language = info.trim().split(/[\s{,:]/)[0] ?? "";
    if (code.startsWith(this.text.data)) this.text.appendData(code.slice(this.text.length));
    else this.text.data = code;
    this.name.textContent = language.slice(0, NAME_MAX);
    codes.set(this.slot, { code, language });
    this.wide(this.pre);
    if (!language || code.length > HIGHLIGHT_MAX) return;
    this.isClosed = isClosed;
    // While it grows only to have the highlighter at hand at its end.
    const part = highlightChunk.now();
    if (part && isClosed) this.highlight(language);
    else if (!part) this.highlightLater(language);
  }

  private highlightLater(language: string): void {
    void highlightChunk.load().then(() => this.isClosed && this.highlight(language));
  }

  private highlight(language: string): void {
    const tree = highlightChunk.now()?.highlight(this.text.data, language) as Hast | null;
    const code = this.text.parentNode;
    if (!tree || !code) return;
    code.textContent = "";
    appendTree(code, tree.children ?? []);
  }

  private async copy(button: HTMLElement): Promise<void> {
    const isCopied = await copyText(codes.get(this.slot)?.code ?? "");
    const words = isCopied ? t().text.copied : t().text.copyFailed;
    button.textContent = words;
    say(words);
    setTimeout(() => (button.textContent = t().text.copy), SAID_MS);
  }
}

function appendTree(parent: Node, tree: Hast[]): void {
  for (const node of tree) {
    if (node.type === "text") {
      parent.appendChild(document.createTextNode(node.value ?? ""));
      continue;
    }
    const span = document.createElement("span");
    span.className = node.properties?.className?.join(" ") ?? "";
    appendTree(span, node.children ?? []);
    parent.appendChild(span);
  }
}
