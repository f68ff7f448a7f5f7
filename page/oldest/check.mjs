// Checks that page/dist runs in the oldest browsers: what it uses and one of them lacks has to be
// in `accepted.mjs` with a reason. `make page` and the suite call it.
//
//   node page/oldest/check.mjs     fails with what is not accepted, or is accepted for nothing

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ACCEPTED } from "./accepted.mjs";
import { checkMarkup } from "./markup.mjs";
import { checkScript, ownMembers } from "./script.mjs";
import { checkSheet } from "./sheet.mjs";

/**
 * Returns what is wrong with files, `[{ name, text }]`: what a browser lacks and `accepted` does
 * not list, and entries of `accepted` that nothing needs.
 */
export function faults(files, accepted) {
  const ending = (end) => files.filter(({ name }) => name.endsWith(end));
  const members = new Set(ending(".js").flatMap(({ text }) => [...ownMembers(text)]));
  const found = [
    ...ending(".js").map(({ name, text }) => [name, checkScript(text, members)]),
    ...ending(".css").map(({ name, text }) => [name, checkSheet(text)]),
    ...ending(".html").map(({ name, text }) => [name, checkMarkup(text)]),
  ].flatMap(([name, list]) => list.map((one) => ({ name, ...one })));
  const needed = new Set();
  const isAccepted = ({ name, feature }) => {
    // Files are named `name-HASH.js`.
    const part = name.replace(/-[A-Z0-9]+\.\w+$/, "");
    const entry = accepted.find((one) => one.feature === feature && one.in.includes(part));
    if (entry) needed.add(`${part}: ${feature}`);
    return Boolean(entry);
  };
  const lacked = found.filter((one) => !isAccepted(one))
    .map(({ name, feature, browsers }) => `${name}: ${feature} is not in ${browsers.join(", ")}`);
  const entries = accepted.flatMap((one) => one.in.map((part) => `${part}: ${one.feature}`));
  const idle = entries.filter((one) => !needed.has(one))
    .map((one) => `accepted.mjs: nothing needs the entry '${one}'`);
  return [...lacked, ...idle];
}

/** Reads the built files that a browser interprets. */
function built() {
  const dist = join(import.meta.dirname, "../dist");
  const names = readdirSync(join(dist, "assets")).filter((name) => /\.(?:js|css)$/.test(name));
  const read = (name, path) => ({ name, text: readFileSync(path, "utf8") });
  const assets = names.map((name) => read(name, join(dist, "assets", name)));
  return [read("index.html", join(dist, "index.html")), ...assets];
}

if (import.meta.main) {
  const found = faults(built(), ACCEPTED);
  for (const one of found) console.error(one);
  if (found.length > 0) process.exitCode = 1;
}
