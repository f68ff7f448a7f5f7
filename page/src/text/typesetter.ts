// Typesets a formula with KaTeX, within limits and within the page's policy. A chunk of its own,
// loaded by chunks.ts; typeset.ts is the only caller.

import katex from "katex";
import { macros, mendTex, refusal } from "./tex.ts";

/** Most elements of a formula, and how deep they may be nested: browsers recurse for layout. */
const NODES_MAX = 20_000;
const DEPTH_MAX = 200;

/** What KaTeX makes before it makes nodes; its own classes differ and are not exported. */
interface Tree {
  children?: Tree[];
  attributes?: Record<string, string>;
  type?: string;
  toNode(): Node;
}

type RenderToTree = (tex: string, options: object) => Tree;
const { __renderToDomTree: renderToTree } = katex as unknown as { __renderToDomTree: RenderToTree };

/** Returns a formula as nodes; throws an error that says why it cannot be typeset. */
export function typesetTex(tex: string, isDisplay: boolean, isMathMLOnly: boolean): Node {
  const reason = refusal(tex);
  if (reason) throw new Error(reason);
  // Not `katex.render`: it makes nodes at once, of a formula of any size, and sets the style of
  // MathML by attributes, which the policy refuses and reports even where no page has the nodes.
  const tree = renderToTree(mendTex(tex, isDisplay), {
    displayMode: isDisplay,
    output: isMathMLOnly ? "mathml" : "htmlAndMathml",
    throwOnError: true,
    // Commands that are not trusted show in this colour.
    errorColor: "inherit",
    macros: macros(isDisplay),
    trust: false,
    strict: "ignore",
    maxSize: 20,
    maxExpand: 1_000,
  });
  prepare(tree, 0, { nodes: 0 });
  return tree.toNode();
}

function prepare(tree: Tree, depth: number, count: { nodes: number }): void {
  if (++count.nodes > NODES_MAX || depth > DEPTH_MAX) throw new Error("too large");
  // The second is the source, which nobody sees and some screen readers read.
  if (tree.type === "semantics") tree.children?.splice(1);
  if (tree.attributes?.style !== undefined) styleByObject(tree, tree.attributes);
  for (const child of tree.children ?? []) prepare(child, depth + 1, count);
}

/** KaTeX sets some styles by an attribute, which the policy forbids; the style object may. */
function styleByObject(tree: Tree, attributes: Record<string, string>): void {
  const { style = "", ...others } = attributes;
  tree.attributes = others;
  const toNode = tree.toNode.bind(tree);
  tree.toNode = () => {
    const node = toNode();
    // MathML elements of older browsers have none.
    const styles = (node as HTMLElement).style as CSSStyleDeclaration | undefined;
    if (styles) styles.cssText = style;
    return node;
  };
}
