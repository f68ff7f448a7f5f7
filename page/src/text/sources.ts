// Remembers from which source an element was made, so that a selection is copied as Markdown and
// formulas as TeX.

const sources = new WeakMap<Node, string>();

export function setSource(node: Node, source: string): void {
  sources.set(node, source);
}

export function sourceOf(node: Node): string | undefined {
  return sources.get(node);
}
