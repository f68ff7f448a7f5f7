// Helps the lexer with `**…**` next to Chinese: CommonMark does not take `**步骤：**求` for
// emphasis, since no space stands between mark and letter, as none does in Chinese. Inserts a space
// that the renderer removes again. clean.ts makes sure that the text has none of its own.

const SPACE = "\u205F";
const SPACES = /\u205F/g;
const PAIR = /\*\*(?=[^\s*])([^*\n]*[^\s*])\*\*(?!\*)/g;
const PUNCTUATION = /^[\p{P}\p{S}]$/u;

const isPunctuation = (sign: string) => PUNCTUATION.test(sign);
const isLetter = (sign: string) => sign !== "" && !/\s/.test(sign) && !isPunctuation(sign);

export function loosenEmphasis(text: string): string {
  return text.replace(PAIR, (pair: string, inner: string, at: number) => {
    const opens = isLetter(text.charAt(at - 1)) && isPunctuation(inner.charAt(0));
    const closes = isPunctuation(inner.charAt(inner.length - 1))
      && isLetter(text.charAt(at + pair.length));
    return (opens ? SPACE : "") + pair + (closes ? SPACE : "");
  });
}

export function tightenText(text: string): string {
  return text.replace(SPACES, "");
}
