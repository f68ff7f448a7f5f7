// A growing Markdown text on the page. Finished blocks are rendered once; only the open one is
// rendered again, at most ten times a second and less often on a slow machine. Does not scroll, and
// is not a live region. Used through prose-component.tsx, or as it is for long texts.

import { BlockSplitter, isFenceStart, type Block } from "./blocks.ts";
import { BlockView, type Surroundings } from "./block-view.ts";
import { lexerChunk } from "./chunks.ts";
import { cleanText } from "./clean.ts";
import { copyAsMarkdown } from "./copy.ts";
import { Fit } from "./fit.ts";
import { FormulaPool } from "./formula-pool.ts";
import { isOver, runSoon } from "./slices.ts";

/** Shortest time between two renderings of the open block. */
const INTERVAL_MS = 100;
/** First blocks of a text that are rendered at once if its beginning is on the screen. */
const FIRST_BLOCKS = 12;
/** Most blocks that a text gets at once while it is being written. */
const FEW_BLOCKS = 3;
/** Rendering takes at most one part in this number of the time. */
const REST = 5;

export class ProseView {
  readonly element = document.createElement("div");
  private readonly surroundings: Surroundings;
  private readonly splitter = new BlockSplitter();
  /** The text as it came, and as it is shown. */
  private raw = "";
  private text = "";
  private isComplete = false;
  private wanted = { text: "", isComplete: false };
  /** Finished blocks, the views of those rendered so far, and the view of the open block. */
  private blocks: Block[] = [];
  private views: BlockView[] = [];
  private open: BlockView | null = null;
  /** Blocks that were finished by more than the end of the text. */
  private settled = 0;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private nextAt = 0;
  private isPumping = false;
  /** Whether blocks come one by one, and whether the beginning is on the screen; null: not read. */
  private isFollowing = true;
  private isVisible: boolean | null = null;
  private hasNoLexer = false;
  private isGone = false;

  /** Without `typesetAll` blocks are rendered only once they are near the screen. */
  constructor({ typesetAll = true }: { typesetAll?: boolean } = {}) {
    this.element.className = "prose";
    this.element.addEventListener("copy", copyAsMarkdown);
    const fit = new Fit(this.element);
    const pool = new FormulaPool((element) => fit.add(element));
    this.surroundings = { isEager: typesetAll, fit, pool };
  }

  /** Shows a text; usually the one before and some more, but it may also be another. */
  update(text: string, isComplete: boolean): void {
    if (this.isGone) return;
    this.wanted = { text, isComplete };
    const wait = isComplete ? 0 : this.nextAt - performance.now();
    if (wait <= 0) this.renderNow();
    else this.timer ??= setTimeout(() => this.renderNow(), wait);
  }

  destroy(): void {
    this.isGone = true;
    if (this.timer) clearTimeout(this.timer);
    this.dropViews(0);
    this.surroundings.pool.clear();
    this.surroundings.fit.destroy();
    this.element.remove();
  }

  private renderNow(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    if (this.isGone) return;
    if (!lexerChunk.now() && !this.hasNoLexer) {
      void lexerChunk.load().then((part) => {
        this.hasNoLexer = !part;
        this.renderNow();
      });
      return;
    }
    const start = performance.now();
    this.takeText();
    if (!this.isPumping) this.pump();
    const now = performance.now();
    this.nextAt = now + Math.max(INTERVAL_MS, REST * (now - start));
  }

  /** Takes over the wanted text, and finds the blocks that are finished in it. */
  private takeText(): void {
    const { text, isComplete } = this.wanted;
    const isSame = text.length === this.raw.length && isComplete === this.isComplete;
    if (!text.startsWith(this.raw)) {
      const cleaned = cleanText(text);
      this.goBack(this.blocksWithin(commonLength(cleaned, this.text)));
      this.text = cleaned;
    } else if (!isSame) {
      // What the end of the text finished may go on after all.
      if (this.isComplete) this.goBack(this.settled);
      this.text += cleanText(text.slice(this.raw.length));
    }
    this.raw = text;
    this.isComplete = isComplete;
    if (isComplete) this.settled = this.blocks.length;
    this.blocks.push(...this.splitter.advance(this.text, isComplete));
  }

  /** Returns how many blocks are the same in a text that has so much in common with this one. */
  private blocksWithin(length: number): number {
    const whole = this.blocks.filter(({ end }) => end <= length).length;
    // Where the last one ends was told by what followed it.
    return Math.min(Math.max(0, whole - 1), this.isComplete ? this.settled : Infinity);
  }

  private goBack(count: number): void {
    this.blocks.length = Math.min(count, this.blocks.length);
    this.splitter.backTo(this.blocks[count - 1]?.end ?? 0);
    this.dropViews(count);
  }

  private dropViews(count: number): void {
    for (const view of this.views.splice(count)) view.remove();
    this.open?.remove();
    this.open = null;
  }

  /** Renders the blocks that are not rendered yet, as many as fit into a slice, then the rest. */
  private pump(): void {
    this.isPumping = false;
    if (this.isGone) return;
    const start = performance.now();
    this.isFollowing = this.blocks.length - this.views.length <= FEW_BLOCKS;
    this.isVisible = null;
    for (;;) {
      const block = this.blocks[this.views.length];
      if (!block) break;
      if (isOver(start)) {
        this.isPumping = true;
        runSoon(() => this.pump());
        return;
      }
      const view = this.viewOf(block.start, block.isFence);
      this.open = null;
      this.views.push(view);
      view.show(this.text.slice(block.start, block.end), true);
    }
    this.showOpen();
    this.surroundings.pool.clear();
  }

  private showOpen(): void {
    const start = this.splitter.openStart;
    const source = this.text.slice(start);
    if (source.trim() === "") return this.dropViews(this.views.length);
    this.open = this.viewOf(start, isFenceStart(this.text, start));
    this.open.show(source, false);
  }

  /** Returns the open view if it is the one wanted, else a new one at the end. */
  private viewOf(start: number, isFence: boolean): BlockView {
    if (this.open?.start === start && this.open.isFence === isFence) return this.open;
    this.open?.remove();
    const view = new BlockView(start, isFence, this.isNextNear(), this.surroundings);
    this.element.append(view.element);
    return view;
  }

  /** Guesses whether a new block is near the screen, before the observer tells: none may flash. */
  private isNextNear(): boolean {
    const last = this.views[this.views.length - 1];
    if (this.surroundings.isEager || (this.isFollowing && last?.isNear)) return true;
    if (this.views.length >= FIRST_BLOCKS) return false;
    this.isVisible ??= this.element.getClientRects().length > 0
      && this.element.getBoundingClientRect().top < innerHeight;
    return this.isVisible;
  }
}

function commonLength(a: string, b: string): number {
  const most = Math.min(a.length, b.length);
  let length = 0;
  while (length < most && a.charCodeAt(length) === b.charCodeAt(length)) length++;
  return length;
}
