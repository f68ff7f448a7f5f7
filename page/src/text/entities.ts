// The named characters of HTML that models write in Markdown. The lexer leaves them to the browser,
// which here never reads HTML. Others stay as they are written.

const NAMED: Record<string, string> = {
  amp: "&", lt: "<", gt: ">", quot: "\"", apos: "'", nbsp: "\u00A0", "#39": "'",
  le: "≤", ge: "≥", ne: "≠", times: "×", divide: "÷", middot: "·", plusmn: "±", minus: "−",
  deg: "°", pi: "π", theta: "θ", alpha: "α", beta: "β", Delta: "Δ", infin: "∞", radic: "√",
  sum: "∑", rarr: "→", larr: "←", rArr: "⇒", hellip: "…", ndash: "–", mdash: "—", bull: "•",
  ensp: "\u2002", emsp: "\u2003", thinsp: "\u2009", lsquo: "‘", rsquo: "’", ldquo: "“", rdquo: "”",
};

export function decodeEntities(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(/&(#?\w+);/g, (whole, name: string) => {
    return Object.prototype.hasOwnProperty.call(NAMED, name) ? NAMED[name] ?? whole : whole;
  });
}
