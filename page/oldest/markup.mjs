// Finds elements and attributes of the page's HTML that one of the oldest browsers lacks. It reads
// tags as the page's own file has them, without `>` in a value.

import { attributeFeatures, elementFeatures } from "./names.mjs";
import { Findings, lacking } from "./support.mjs";

/** Returns what of an HTML file a browser lacks. */
export function checkMarkup(text) {
  const findings = new Findings();
  const plain = text.replace(/<!--[^]*?-->/g, "");
  for (const [, tag, rest] of plain.matchAll(/<([a-z][a-z0-9]*)([^>]*)>/g)) {
    findings.note(`<${tag}>`, lacking(elementFeatures(tag)));
    for (const [, attribute, value] of rest.matchAll(/([a-z-]+)(?:="([^"]*)")?/g)) {
      const { name, value: keyword } = attributeFeatures(tag, attribute, value);
      findings.note(`<${tag} ${attribute}>`, lacking(name));
      findings.note(`<${tag} ${attribute}="${value}">`, lacking(keyword));
    }
  }
  return findings.list();
}
