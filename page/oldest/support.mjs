// What the oldest browsers have, by MDN's browser-compat-data. A feature is an entry of that data;
// features are grouped, because a script says only the last part of a name: `.at` is a method of
// arrays, of strings and of typed arrays, and a browser lacks it if it lacks it on all of them.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { OLDEST } from "./browsers.mjs";

const path = createRequire(import.meta.url).resolve("@mdn/browser-compat-data");
export const data = JSON.parse(readFileSync(path, "utf8"));

/**
 * Returns whether a statement of the data says that a version has the feature. A partial
 * implementation counts: the data calls most features of that time partial for some detail.
 */
function holds(statement, version, prefixes) {
  const { version_added: added, version_removed: removed, prefix } = statement;
  // Unknown is taken for yes: the data knows all that was added in the last years.
  if (added === null) return true;
  if (added === false || added === "preview" || statement.flags) return false;
  if (statement.alternative_name) return false;
  if (prefix && !prefixes.includes(prefix)) return false;
  const number = (text) => parseFloat(String(text).replace("≤", ""));
  return number(added) <= version && !(removed && number(removed) <= version);
}

function has(feature, browser, prefixes) {
  const statements = feature.__compat?.support[browser];
  if (!statements) return true;
  return [statements].flat().some((one) => holds(one, OLDEST[browser], prefixes));
}

/**
 * Returns the browsers that have none of these features. `prefixes` are those under which the
 * same is written too.
 */
export function lacking(features, prefixes = []) {
  const known = features.filter((feature) => feature?.__compat);
  if (known.length === 0) return [];
  const lacks = (browser) => !known.some((feature) => has(feature, browser, prefixes));
  return Object.keys(OLDEST).filter(lacks);
}

/** Collects the features at any depth below `root` whose key `name` turns into a name. */
export function index(root, name, into = new Map()) {
  for (const [key, feature] of Object.entries(root)) {
    if (key === "__compat") continue;
    const found = name(key);
    if (found) into.set(found, [...(into.get(found) ?? []), feature]);
    index(feature, name, into);
  }
  return into;
}

/** What a check found: each feature once a file, with the browsers that lack it. */
export class Findings {
  #seen = new Map();

  /** Notes a feature if a browser lacks it, in words of the source that uses it. */
  note(feature, browsers) {
    if (browsers.length > 0) this.#seen.set(feature, browsers);
  }

  list() {
    return [...this.#seen].map(([feature, browsers]) => ({ feature, browsers }));
  }
}
