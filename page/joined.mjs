// Joins scripts that are always loaded together. esbuild puts code that several parts share into
// chunks of their own, so that the first load would be a dozen small files, and the view of a job
// another dozen: each a request to a board that answers one request a connection. A group is a part
// with all the chunks it imports that no group before it has; whatever else needs one of them
// imports it from the group's script. build.mjs calls it.

import { createHash } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { build } from "esbuild";

/** An import of a chunk as esbuild writes it when it minifies. */
const IMPORT = /import(?:\{([^{}]*)\}from)?"\/assets\/([^"]+\.js)";?/g;
const ADDRESS = /\/assets\/([\w.-]+\.js)/g;
const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const HASH = /-[A-Z2-7]{8}\.js$/;

/**
 * Joins groups of the scripts in `folder`, which a build with `settings` has made. `entries` are the
 * files that the groups begin with. Returns the new names of all scripts by their old ones.
 */
export async function joinScripts(folder, { outputs }, entries, settings) {
  const paths = Object.keys(outputs).filter((path) => path.endsWith(".js"));
  const imports = new Map(paths.map((path) => [basename(path), importsOf(outputs[path])]));
  const texts = new Map(paths.map((path) => {
    const file = basename(path);
    return [file, readFileSync(join(folder, file), "utf8")];
  }));
  const groups = groupsOf(imports, entries);
  for (const group of groups) {
    for (const [file, text] of texts) {
      if (!group.files.includes(file)) texts.set(file, redirect(text, group));
    }
  }
  for (const [file, text] of texts) writeFileSync(join(folder, file), text);
  for (const group of groups) {
    const text = await joinedText(folder, group, settings);
    for (const file of group.files) texts.delete(file);
    texts.set(group.entry, text);
  }
  for (const file of imports.keys()) rmSync(join(folder, file));
  return write(folder, texts);
}

const importsOf = ({ imports }) =>
  imports.filter(({ kind, external }) => kind === "import-statement" && !external)
    .map(({ path }) => basename(path));

/** Returns the groups: `wanted` will hold what is imported from each of their files. */
function groupsOf(imports, entries) {
  const taken = new Set();
  return entries.map((entry) => {
    const files = [];
    const walk = (file) => {
      if (taken.has(file)) return;
      taken.add(file);
      files.push(file);
      imports.get(file).forEach(walk);
    };
    walk(entry);
    return { entry, files, wanted: files.map(() => new Set()) };
  });
}

/** Makes imports of a group's files imports of its script, and notes what they import. */
function redirect(text, { entry, files, wanted }) {
  return text.replace(IMPORT, (whole, names = "", file) => {
    const at = files.indexOf(file);
    if (at < 0) return whole;
    const list = names.split(",").filter(Boolean).map((one) => {
      const [name, local = name] = one.split(" as ");
      wanted[at].add(name);
      return `${joinedName(at, name)} as ${local}`;
    });
    return list.length > 0 ? `import{${list.join(",")}}from"/assets/${entry}";` : "";
  });
}

/** The name that an export of a group's file number `at` has in the group's script. */
const joinedName = (at, name) => `${name}_${at}`;

/** Returns the text of a group's script. */
async function joinedText(folder, { entry, files, wanted }, { target, supported }) {
  const path = (file) => JSON.stringify(join(folder, file));
  const exported = files.map((file, at) => {
    const names = [...wanted[at]].sort().map((name) => `${name} as ${joinedName(at, name)}`);
    return names.length > 0 ? `export {${names.join(", ")}} from ${path(file)};` : "";
  });
  const contents = [`import ${path(entry)};`, `export * from ${path(entry)};`, ...exported];
  const { outputFiles } = await build({
    bundle: true, minify: true, format: "esm", charset: "utf8", logLevel: "warning",
    target, supported, write: false,
    stdin: { contents: contents.join("\n"), resolveDir: folder },
    plugins: [{
      name: "within-the-group",
      setup({ onResolve }) {
        onResolve({ filter: /^\/assets\// }, ({ path: address }) => {
          const file = basename(address);
          const isOwn = files.includes(file);
          return isOwn ? { path: join(folder, file) } : { path: address, external: true };
        });
      },
    }],
  });
  return outputFiles[0].text;
}

/** Writes the scripts. Those whose text names others get a new hash: their text has changed. */
function write(folder, texts) {
  const all = createHash("sha256");
  for (const file of [...texts.keys()].sort()) all.update(file).update(texts.get(file));
  const version = all.digest("hex");
  const names = new Map();
  for (const [file, text] of texts) {
    const digest = createHash("sha256").update(version).update(file).digest();
    // Eight digits in base 32, as esbuild's own.
    const hash = [...digest.subarray(0, 8)].map((byte) => BASE32[byte % 32]).join("");
    const renamed = file.replace(HASH, `-${hash}.js`);
    names.set(file, text.includes("/assets/") ? renamed : file);
  }
  for (const [file, text] of texts) {
    const renamed = text.replace(ADDRESS, (whole, name) =>
      names.has(name) ? `/assets/${names.get(name)}` : whole);
    writeFileSync(join(folder, names.get(file)), renamed);
  }
  return names;
}
