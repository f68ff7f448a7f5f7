// One block of a text on the page. While it grows it is rendered again; once it is finished it is
// rendered a last time and never touched again. Far from the screen it can be one text node until
// it comes near. prose.ts makes them and knows where they begin and end.

import { appendBlocks, plainParagraph } from "./render.ts";
import { lexerChunk } from "./chunks.ts";
import { CodeView } from "./code.ts";
import { loosenEmphasis } from "./emphasis.ts";
import type { Fit } from "./fit.ts";
import type { FormulaPool } from "./formula-pool.ts";
import { unwatchNear, watchNear } from "./near.ts";
import { protect, type Protected } from "./protect.ts";
import { runSoon } from "./slices.ts";
import { leaveUntypeset } from "./typeset.ts";

/** What the blocks of a text share. */
export interface Surroundings {
  /** Whether blocks are rendered wherever they are. */
  isEager: boolean;
  fit: Fit;
  pool: FormulaPool;
}

const OPENING = /^( {0,3})(?:`+|~+)([^\n]*)\n?/;
const CLOSING = /(?:^|\n) {0,3}(`{3,}|~{3,})[ \t]*\n?$/;
/** The last line of an open fence that may become its closing. */
const HALF_CLOSING = /(?:^|\n) {0,3}(?:`+|~+)$/;

export class BlockView {
  readonly element = document.createElement("div");
  readonly start: number;
  readonly isFence: boolean;
  private readonly surroundings: Surroundings;
  private source = "";
  private isFinal = false;
  /** Whether the block is near the screen, as far as is known. */
  isNear: boolean;
  private isGone = false;
  /** The source that is rendered, and whether it would be rendered otherwise when it is final. */
  private rendered: string | null = null;
  private waits = false;
  private formulas: [string, HTMLElement][] = [];
  private code: CodeView | null = null;

  constructor(start: number, isFence: boolean, isNear: boolean, surroundings: Surroundings) {
    this.start = start;
    this.isFence = isFence;
    this.surroundings = surroundings;
    this.isNear = isNear || surroundings.isEager;
    this.element.className = "block";
    if (!surroundings.isEager) watchNear(this.element, (isNear) => this.setNear(isNear));
  }

  /** Shows the block's source so far; `isFinal` when nothing follows. */
  show(source: string, isFinal: boolean): void {
    this.source = source;
    this.isFinal = isFinal;
    if (this.isNear) this.render();
    else this.showSource();
  }

  remove(): void {
    this.isGone = true;
    unwatchNear(this.element);
    this.element.remove();
    for (const [, formula] of this.formulas) leaveUntypeset(formula);
  }

  private setNear(isNear: boolean): void {
    this.isNear = isNear;
    if (!isNear) return;
    runSoon(() => {
      if (!this.isGone && this.isNear) this.render();
    });
  }

  private showSource(): void {
    // What was rendered once stays, and is rendered to its end.
    if (this.rendered !== null) return this.render();
    const text = this.element.firstChild;
    this.element.className = "block as-written";
    if (!(text instanceof Text)) this.element.textContent = this.source;
    else if (this.source.startsWith(text.data)) text.appendData(this.source.slice(text.length));
    else text.data = this.source;
  }

  private render(): void {
    if (this.isFinal) unwatchNear(this.element);
    const isSame = this.rendered === this.source.trimEnd() && !(this.isFinal && this.waits);
    if (isSame && !this.isFence) return;
    if (this.rendered === null) this.element.textContent = "";
    this.element.className = "block";
    if (this.isFence) this.renderFence();
    else this.renderFlow();
    this.rendered = this.source.trimEnd();
  }

  private renderFence(): void {
    const opening = OPENING.exec(this.source);
    const [head, indent, info] = opening ?? ["", "", ""];
    let body = this.source.slice(head.length);
    const isClosed = this.isFinal && CLOSING.test(body);
    body = body.replace(this.isFinal ? CLOSING : HALF_CLOSING, "");
    if (indent) body = body.replace(new RegExp(`^ {1,${indent.length}}`, "gm"), "");
    if (!this.code) {
      this.code = new CodeView((element) => this.surroundings.fit.add(element));
      this.element.append(this.code.element);
    }
    // The name of the language may not be whole yet.
    this.code.show(body, head.endsWith("\n") ? info ?? "" : "", isClosed);
  }

  private renderFlow(): void {
    const { pool, fit } = this.surroundings;
    const whole = protect(this.source, !this.isFinal);
    const tokens = whole && lexed(whole);
    pool.begin(this.formulas);
    this.formulas = [];
    const fragment = document.createDocumentFragment();
    if (!whole || !tokens) {
      fragment.append(plainParagraph(this.source.trimEnd()));
    } else {
      appendBlocks(fragment, tokens, {
        whole,
        formula: (segment) => {
          const entry = pool.take(segment);
          this.formulas.push(entry);
          return entry[1];
        },
        wide: (element) => fit.add(element),
      });
    }
    this.waits = whole?.segments.some(({ isClosed }) => !isClosed) ?? false;
    this.element.textContent = "";
    this.element.append(fragment);
  }
}

/** Returns the tokens of a block; null if it is better shown as it is. */
function lexed(whole: Protected) {
  try {
    return lexerChunk.now()?.lexBlock(loosenEmphasis(whole.text)) ?? null;
  } catch {
    // The lexer gives up on some texts, and recurses as deeply as a text makes it.
    return null;
  }
}
