// Estimates the length of a question in tokens, because the page has no tokenizer: the box decides.
// The rates are those of the Qwen2 vocabulary, rounded up: a warning that comes early does less
// harm than a refusal that comes unannounced.

// In tenths of a token.
const PER_LETTER = 3;
/** Qwen2 splits numbers into their digits. */
const PER_DIGIT = 10;
const PER_NEWLINE = 5;
const PER_SIGN = 6;
/** Chinese characters, accents, signs of mathematics; a character beyond U+FFFF counts twice. */
const PER_OTHER = 10;

/** Returns the estimated number of tokens, in time linear in the length of the text. */
export function estimateTokens(text: string): number {
  let tenths = 0;
  for (let at = 0; at < text.length; at++) tenths += rate(text.charCodeAt(at));
  return Math.ceil(tenths / 10);
}

function rate(code: number): number {
  if (code >= 0x80) return PER_OTHER;
  const lower = code | 0x20;
  if (lower >= 0x61 && lower <= 0x7a) return PER_LETTER;
  if (code >= 0x30 && code <= 0x39) return PER_DIGIT;
  if (code === 0x0a) return PER_NEWLINE;
  // A space is part of the word after it.
  return code <= 0x20 ? 0 : PER_SIGN;
}

/** Rounds an estimate so that it does not look counted: 437 becomes 440, 1,263 becomes 1,300. */
export function roundTokens(tokens: number): number {
  const step = tokens < 1_000 ? 10 : 100;
  return Math.round(tokens / step) * step;
}
