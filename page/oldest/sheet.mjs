// Finds what a style sheet uses and one of the oldest browsers lacks: at-rules, media features,
// selectors, properties, their values, functions and units, and `gap` outside of a grid.

import { generate, parse, walk } from "css-tree";
import { Findings, data, index, lacking } from "./support.mjs";

const { "at-rules": atRules, properties, selectors, types } = data.css;
const FUNCTIONS = index(types, (key) => key);
const UNITS = new Map(Object.entries(types.length).map(([unit, feature]) => [unit, feature]));
const UNIT_GROUPS = [
  [/^[dsl]v(?:w|h|i|b|min|max)$/, "viewport_percentage_units_dynamic"],
  [/^cq(?:w|h|i|b|min|max)$/, "container_query_length_units"],
];
const GAPS = new Set(["gap", "row-gap", "column-gap"]);
const PREFIX = /^-(?:webkit|moz|ms|o)-/;

const unitFeature = (unit) =>
  UNITS.get(unit) ?? types.length[UNIT_GROUPS.find(([pattern]) => pattern.test(unit))?.[1]];

/** Notes the values of a property: keywords, functions, units. */
function noteValues(property, value, findings) {
  const known = properties[property] ?? {};
  walk(value, (node) => {
    const name = node.name?.toLowerCase();
    if (node.type === "Identifier" && known[name]) {
      findings.note(`${property}: ${name}`, lacking([known[name]]));
    } else if (node.type === "Function" && !PREFIX.test(name)) {
      const features = known[name] ? [known[name]] : FUNCTIONS.get(name) ?? [];
      findings.note(`${name}()`, lacking(features));
    } else if (node.type === "Dimension") {
      const unit = node.unit.toLowerCase();
      findings.note(`unit ${unit}`, lacking([unitFeature(unit)]));
    }
  });
}

/** Notes a property with its value; `names` are all properties of its block. */
export function noteDeclaration({ property, value }, names, findings) {
  const name = property.toLowerCase();
  if (PREFIX.test(name)) return;
  const prefixes = names.filter((other) => other.endsWith(`-${name}`) && PREFIX.test(other))
    .map((other) => other.slice(0, -name.length));
  if (!name.startsWith("--")) {
    findings.note(name, lacking([properties[name]], prefixes));
  }
  noteValues(name, value, findings);
}

/** Returns the selectors of a rule, each as text. */
const selectorsOf = (rule) =>
  rule.prelude.type === "SelectorList" ? rule.prelude.children.toArray().map(generate) : [];

/** Returns the selectors whose elements are grids. */
function grids(tree) {
  const found = new Set();
  walk(tree, { visit: "Declaration", enter({ property, value }) {
    if (property !== "display" || !/grid/.test(generate(value)) || !this.rule) return;
    for (const selector of selectorsOf(this.rule)) found.add(selector);
  } });
  return found;
}

function noteSelector(node, findings) {
  const feature = selectors[node.name];
  if (PREFIX.test(node.name)) return;
  const colons = node.type === "PseudoElementSelector" ? "::" : ":";
  findings.note(colons + node.name, lacking([feature]));
  const inner = node.children?.first;
  if (node.name === "not" && inner?.type === "SelectorList" && inner.children.size > 1) {
    findings.note(":not(a, b)", lacking([feature.selector_list]));
  }
  if (inner?.type === "Nth" && inner.selector) {
    findings.note(`:${node.name}(of)`, lacking([feature.of_syntax]));
  }
}

function noteAtRule(node, findings) {
  const name = node.name.toLowerCase();
  if (!PREFIX.test(name)) findings.note(`@${name}`, lacking([atRules[name]]));
}

function noteFeature(node, findings) {
  if (node.type === "FeatureRange") {
    findings.note("media range", lacking([atRules.media.range_syntax]));
    return;
  }
  const name = node.name.toLowerCase().replace(/^(?:min|max)-/, "");
  findings.note(`@media (${name})`, lacking([atRules.media[name]]));
}

/** Returns whether a declaration belongs to a descriptor rule or stands in a condition. */
const isUse = ({ atrule, atrulePrelude }) => !atrulePrelude && atrule?.name !== "font-face";

/** Returns what of a style sheet, or of a list of declarations, a browser lacks. */
export function checkSheet(text, context = "stylesheet") {
  const findings = new Findings();
  const onParseError = (error) => findings.note(`syntax: ${error.message}`, ["all"]);
  const tree = parse(text, { context, parseValue: true, parseCustomProperty: true, onParseError });
  const withGrid = grids(tree);
  walk(tree, function enter(node) {
    if (node.type === "Atrule") noteAtRule(node, findings);
    else if (/^Feature(?:Range)?$/.test(node.type)) noteFeature(node, findings);
    else if (/^Pseudo\w+Selector$/.test(node.type)) noteSelector(node, findings);
    else if (node.type === "NestingSelector") {
      findings.note("nesting", lacking([selectors.nesting]));
    } else if (node.type === "Declaration" && isUse(this)) {
      const list = this.block ?? this.declarationList;
      const all = (list ?? tree).children?.toArray() ?? [];
      const names = all.filter(({ type }) => type === "Declaration").map((one) => one.property);
      noteDeclaration(node, names, findings);
      const isGrid = this.rule && selectorsOf(this.rule).every((one) => withGrid.has(one));
      if (GAPS.has(node.property) && !isGrid) {
        findings.note(`${node.property} outside of a grid`,
          lacking([properties.gap.flex_context]));
      }
    }
  });
  return findings.list();
}
