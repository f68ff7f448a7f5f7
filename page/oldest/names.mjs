// The names under which scripts use features: globals, members, options, events, and the elements
// and attributes of HTML, each with the features of MDN's data that it can mean.

import { data, index } from "./support.mjs";

const { api, html, javascript: { builtins } } = data;
const GLOBAL_OBJECTS = new Set(["window", "globalThis", "self", "document", "navigator"]);
/** Objects that a global variable holds, by its name. */
const INSTANCES = {
  document: "Document", navigator: "Navigator", window: "Window", self: "Window",
};

/** Adds the members of interfaces to an index, by the name that `member` returns. */
function membersOf(member) {
  const found = new Map();
  for (const one of [...Object.values(builtins), ...Object.values(builtins.Intl),
    ...Object.values(api)]) {
    for (const [key, feature] of Object.entries(one)) {
      const name = key === "__compat" ? null : member(key);
      if (name) found.set(name, [...(found.get(name) ?? []), feature]);
    }
  }
  return found;
}

const MEMBERS = membersOf((key) => /_(?:event|static)$|^@@/.test(key) ? null : key);
/** Names of methods of JavaScript's most common objects. */
export const BUILT_IN = new Set(
  ["Array", "String", "TypedArray", "Map", "Set", "Promise"]
    .flatMap((name) => Object.keys(builtins[name])));
const EVENTS = membersOf((key) => /^(.+)_event$/.exec(key)?.[1]);

/** Returns the features that a global variable can mean. */
export function globalFeatures(name) {
  const own = (object) => (Object.hasOwn(object, name) ? [object[name]] : []);
  return [...own(builtins), ...own(api), ...own(api.Window)];
}

/** Returns the features that `object.name` can mean; `object` is a global variable or null. */
export function memberFeatures(object, name) {
  const own = [builtins, builtins.Intl, api].map((root) => root[INSTANCES[object] ?? object])
    .filter(Boolean).flatMap((one) => [one[`${name}_static`], one[name]]).filter(Boolean);
  if (own.length > 0) return own;
  if (GLOBAL_OBJECTS.has(object)) {
    const found = globalFeatures(name);
    if (found.length > 0) return found;
  }
  return MEMBERS.get(name) ?? [];
}

/** Returns the features of an option in a call of a function that can be any of `callees`. */
export function optionFeatures(callees, option) {
  const name = (key) => key.replace(/^options?_/, "").replace(/_(?:parameter|option)$/, "");
  return callees.flatMap((feature) => index(feature, name).get(option) ?? []);
}

export const eventFeatures = (name) => EVENTS.get(name) ?? [];
export const constructorFeatures = (name) =>
  [builtins, builtins.Intl, api].map((root) => root[name]?.[name]).filter(Boolean);

export const isElement = (tag) => Object.hasOwn(html.elements, tag);
export const elementFeatures = (tag) => [html.elements[tag]];

/** Returns the features of an attribute of an element; a keyword as its value is one too. */
export function attributeFeatures(tag, attribute, value) {
  const name = attribute.toLowerCase();
  const known = html.elements[tag]?.[name] ?? html.global_attributes[name];
  const keyword = known?.[value] ?? html.elements[tag]?.[`${name}_${value}`];
  return { name: known ? [known] : [], value: keyword ? [keyword] : [] };
}
