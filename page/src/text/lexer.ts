// Turns one block of Markdown into marked's tokens, without what the page does not want of
// Markdown, and within limits: marked is quadratic for some texts that a model can write when it
// loops. A chunk of its own, loaded by chunks.ts.

import "./older-browsers.ts";
import { Lexer, type Token, Tokenizer, type Tokens } from "marked";
import { hasPlaceholder } from "./protect.ts";

/** Longest text that is searched for emphasis, links and the like. */
const INLINE_MAX = 6_000;
/** Most characters in it that can begin such a thing. */
const MARKS_MAX = 300;
const MARKS = /[*_~[`<@]/g;
const DEEP = /^(?:[ \t]*(?:>|[-*+](?=[ \t])|\d{1,9}[.)](?=[ \t]))){13}/m;
const INDENTED = /^[ \t]{64}/m;

class ProseTokenizer extends Tokenizer {
  /** Models fence their code; what they indent is often a formula. */
  override code(src: string): Tokens.Code | undefined {
    const token = super.code(src);
    return token && !hasPlaceholder(token.text) ? token : undefined;
  }

  /** A line of dashes under a text is a rule to a model, and a text must not become a heading
      after it was shown. */
  override lheading(): undefined {}

  /** Blocks of HTML are shown as text, so their insides are a text like any other. */
  override html(): undefined {}

  /** Addresses are shown, not followed, so they stay where they were written. */
  override def(): undefined {}
}

function isCostly(text: string): boolean {
  return text.length > INLINE_MAX || (text.match(MARKS)?.length ?? 0) > MARKS_MAX;
}

/** Whether containers are nested deeper than anybody writes; the lexer recurses for each. */
function isDeep(text: string): boolean {
  return DEEP.test(text) || INDENTED.test(text);
}

/** Returns the tokens of a block; null if it is better shown as plain text. */
export function lexBlock(text: string): Token[] | null {
  if (isDeep(text)) return null;
  const lexer = new Lexer({ gfm: true, breaks: true, tokenizer: new ProseTokenizer() });
  lexer.blockTokens(text, lexer.tokens);
  for (const { src, tokens } of lexer.inlineQueue) {
    lexer.state.inRawBlock = false;
    lexer.state.inLink = false;
    if (isCostly(src)) tokens.push({ type: "text", raw: src, text: src, escaped: true });
    else lexer.inlineTokens(src, tokens);
  }
  return lexer.tokens;
}
