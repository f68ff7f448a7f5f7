// Finds what a script uses and one of the oldest browsers lacks: syntax, global variables, members
// by their name alone, options of calls, events, elements, attributes, styles, regular expressions.
// A name that the script declares itself is not taken for a global variable, and one that objects
// of the page have is not taken for a member of the browser's, except in a call such as `.at()`.

import { parse } from "acorn";
import { full } from "acorn-walk";
import {
  BUILT_IN, attributeFeatures, constructorFeatures, elementFeatures, eventFeatures, globalFeatures,
  isElement, memberFeatures, optionFeatures,
} from "./names.mjs";
import { checkSheet } from "./sheet.mjs";
import { Findings, data, lacking } from "./support.mjs";

/** The last edition whose syntax all of them read; what is newer is a syntax error. */
const SYNTAX = { ecmaVersion: 2020, sourceType: "module" };
const LOOKBEHIND = data.javascript.regular_expressions.lookbehind_assertion;

/** Returns a constant text, or null. */
function textOf(node) {
  if (node?.type === "Literal" && typeof node.value === "string") return node.value;
  const isPlain = node?.type === "TemplateLiteral" && node.expressions.length === 0;
  return isPlain ? node.quasis[0].value.cooked : null;
}

const nameOf = ({ property, computed }) => (computed ? textOf(property) : property.name);
const optionsOf = (call) => call.arguments.filter(({ type }) => type === "ObjectExpression")
  .flatMap(({ properties }) => properties).filter(({ type, computed }) =>
    type === "Property" && !computed);
const keyOf = ({ key }) => key.name ?? String(key.value);

/** Returns the names that a script declares, in any scope. */
function declared(tree) {
  const names = new Set();
  full(tree, (node, _, type) => {
    if (type === "VariablePattern") names.add(node.name);
    if (/^(?:Function|Class)/.test(node.type) && node.id) names.add(node.id.name);
    if (/^Import.*Specifier$/.test(node.type)) names.add(node.local.name);
  });
  return names;
}

/** Parses a script; returns the error where its syntax is newer than all browsers read. */
function parsed(text) {
  try {
    return { tree: parse(text, SYNTAX) };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { error };
  }
}

/** Returns the names of members that a script gives to its own objects. */
export function ownMembers(text) {
  const names = new Set();
  const add = (node, key) => !node.computed && names.add(key.name ?? String(key.value));
  const { tree } = parsed(text);
  if (tree) full(tree, (node) => {
    if (node.type === "Property" || node.type === "MethodDefinition") add(node, node.key);
    const { left } = node;
    if (node.type !== "AssignmentExpression" || left.type !== "MemberExpression") return;
    // What is assigned to `element.style.margin` is no member of the page's own.
    if (left.object.property?.name !== "style") add(left, left.property);
  });
  return names;
}

class Script {
  findings = new Findings();

  constructor(tree, members) {
    this.tree = tree;
    this.own = declared(tree);
    this.members = members;
  }

  note(feature, features) {
    this.findings.note(feature, lacking(features));
  }

  global(node) {
    return node.type === "Identifier" && !this.own.has(node.name) ? node.name : null;
  }

  /** Returns what a called function can be: `{ name, features }`. */
  callee(node) {
    if (node.type === "MemberExpression") {
      const name = nameOf(node) ?? "";
      return { name, features: memberFeatures(this.global(node.object), name) };
    }
    const name = this.global(node) ?? "";
    return { name, features: globalFeatures(name) };
  }

  check() {
    full(this.tree, (node) => this[node.type]?.(node));
    return this.findings.list();
  }

  Identifier(node) {
    const name = this.global(node);
    if (name) this.note(name, globalFeatures(name));
  }

  MemberExpression(node) {
    const name = nameOf(node);
    if (!name) return;
    if (node.object.type === "MemberExpression" && nameOf(node.object) === "style") {
      this.style(name, "inherit");
      return;
    }
    const object = this.global(node.object);
    const features = memberFeatures(object, name);
    if (object) this.note(`${object}.${name}`, features);
    else if (!this.members.has(name)) this.note(`.${name}`, features);
  }

  CallExpression(node) {
    const { name, features } = this.callee(node.callee);
    if (BUILT_IN.has(name)) this.note(`.${name}()`, features);
    const first = textOf(node.arguments[0]);
    for (const option of optionsOf(node)) {
      const key = keyOf(option);
      this.note(`${name}({ ${key} })`, optionFeatures(features, key));
    }
    if (first === null) return;
    if (/^(?:add|remove)EventListener$/.test(name)) this.event(first);
    else if (name === "setAttribute") this.attribute("", first, textOf(node.arguments[1]));
    else if (name === "matchMedia") this.sheet(`@media ${first} {}`);
    else if (name === "setProperty") this.style(first, textOf(node.arguments[1]) ?? "inherit");
    else if (isElement(first)) this.element(first, optionsOf(node));
    if (name === "RegExp") this.flags(node);
  }

  NewExpression(node) {
    const name = this.callee(node.callee).name;
    for (const option of optionsOf(node)) {
      const key = keyOf(option);
      this.note(`new ${name}({ ${key} })`, optionFeatures(constructorFeatures(name), key));
    }
    if (name === "RegExp") this.flags(node);
  }

  /** Notes flags of a regular expression that is made of a text. */
  flags(node) {
    const flags = textOf(node.arguments[1]) ?? "";
    if (/d/.test(flags)) this.note("RegExp flag d", memberFeatures("RegExp", "hasIndices"));
    if (/v/.test(flags)) this.note("RegExp flag v", memberFeatures("RegExp", "unicodeSets"));
  }

  Property(node) {
    if (node.computed || keyOf(node) !== "style") return;
    const text = textOf(node.value);
    if (text?.includes(":")) this.sheet(text, "declarationList");
    for (const one of node.value.properties ?? []) {
      if (one.type === "Property") this.style(keyOf(one), textOf(one.value) ?? "inherit");
    }
  }

  Literal(node) {
    const pattern = node.regex?.pattern ?? node.value;
    if (typeof pattern === "string" && /\(\?<[=!]/.test(pattern)) this.note("(?<=)", [LOOKBEHIND]);
  }

  TemplateElement(node) {
    this.Literal({ value: node.value.cooked });
  }

  /** Notes an element that a call creates with attributes, as Preact's do. */
  element(tag, attributes) {
    this.note(`<${tag}>`, elementFeatures(tag));
    for (const one of attributes) {
      const name = keyOf(one);
      if (/^on[A-Z]/.test(name)) this.event(name.slice(2).toLowerCase());
      else this.attribute(tag, name, textOf(one.value));
    }
  }

  attribute(tag, attribute, keyword) {
    const { name, value } = attributeFeatures(tag, attribute, keyword);
    this.note(`<${tag} ${attribute}>`, name);
    this.note(`<${tag} ${attribute}="${keyword}">`, value);
  }

  event(name) {
    this.note(`event ${name}`, eventFeatures(name));
  }

  style(property, value) {
    const name = property.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    this.sheet(`${name}: ${value}`, "declarationList");
  }

  sheet(text, context) {
    for (const { feature, browsers } of checkSheet(text, context)) {
      this.findings.note(feature, browsers);
    }
  }
}

/** Returns what of a script a browser lacks; `members` are names that the page's objects have. */
export function checkScript(text, members = new Set()) {
  const { tree, error } = parsed(text);
  if (tree) return new Script(tree, members).check();
  const near = text.slice(Math.max(0, error.pos - 20), error.pos + 20);
  return [{ feature: `syntax: ${error.message} near ${near}`, browsers: ["all"] }];
}
