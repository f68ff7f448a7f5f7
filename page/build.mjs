// Builds page/dist from page/src: `make page` calls it after the type check. The output depends on
// the sources and the lock file alone, byte for byte, because CI compares it with what is committed.
//
//   node page/build.mjs            writes page/dist
//   node page/build.mjs --check    writes nothing; fails if page/dist differs

import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync, existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { joinScripts } from "./joined.mjs";
import { OLDEST } from "./oldest/browsers.mjs";

const here = import.meta.dirname;
const TARGET = Object.entries(OLDEST).map(([browser, version]) => browser + version);

/** Reduces KaTeX's style sheet to the woff2 fonts, which all supported browsers read. */
const onlyWoff2 = {
  name: "only-woff2",
  setup({ onLoad }) {
    onLoad({ filter: /katex(\.min)?\.css$/ }, ({ path }) => {
      const sheet = readFileSync(path, "utf8");
      const contents = sheet.replace(/,\s*url\([^)]*\.(?:woff|ttf)\)\s*format\("[^"]*"\)/g, "");
      return { contents, loader: "css" };
    });
  },
};

const common = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  target: TARGET,
  // Safari 14.0 lacks only a corner of it (a default that is an arrow function), which esbuild takes
  // for all of it. Parentheses in class fields can confuse Safari before 16.
  supported: { destructuring: true, "class-field": false },
  format: "esm",
  splitting: true,
  charset: "utf8",
  publicPath: "/assets",
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".woff2": "file", ".svg": "file" },
  plugins: [onlyWoff2],
  metafile: true,
  logLevel: "warning",
};

/** Bundles entry points; returns the address of each by its name, and the packages inside. */
async function bundle(out, entryPoints, define = {}) {
  const { metafile } = await build({ ...common, outdir: join(out, "assets"), entryPoints, define });
  const addresses = {};
  for (const [file, { entryPoint }] of Object.entries(metafile.outputs)) {
    if (entryPoint) addresses[entryPoint] = `/assets/${file.split("/").pop()}`;
  }
  const inputs = Object.keys(metafile.inputs);
  const packages = inputs.map((input) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input)?.[1]);
  return { addresses, packages: packages.filter(Boolean), metafile };
}

/** Returns the licence texts of the packages that are part of the page. */
function licences(packages) {
  const text = (name) => {
    const folder = join(here, "node_modules", name);
    const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    if (!file) throw new Error(`${name} has no licence file`);
    return `${name} ${version}\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
  };
  return [...new Set(packages)].sort().map(text).join(`\n${"-".repeat(72)}\n\n`);
}

/** Style sheets that the script loads when they are needed, by the names it has for them. */
const LATER_STYLES = { MATH_STYLE: "math", ROOM_STYLE: "room", OWNER_STYLE: "room-owner" };
/** Parts whose scripts are joined with all that they need, in the order in which people usually
    come to them. */
const JOINED = [
  "src/main.tsx", "src/text/prose-component.tsx", "src/views/job/job.tsx",
  "src/views/history/history.tsx",
];
const sheet = (name) => `src/style/${name}.css`;

async function buildInto(out) {
  const styles = await bundle(out, ["main", ...Object.values(LATER_STYLES)].map(sheet));
  const later = Object.entries(LATER_STYLES).map(([name, of]) =>
    [name, JSON.stringify(styles.addresses[sheet(of)])]);
  const script = await bundle(out, ["src/main.tsx"], Object.fromEntries(later));
  const groups = JOINED.map((source) => script.addresses[source].split("/").pop());
  const names = await joinScripts(join(out, "assets"), script.metafile, groups, common);
  const html = readFileSync(join(here, "src/index.html"), "utf8")
    .replace("main.css", styles.addresses["src/style/main.css"])
    .replace('"main.js"', `"/assets/${names.get(groups[0])}"`);
  writeFileSync(join(out, "index.html"), html);
  writeFileSync(join(out, "licences.txt"), licences([...styles.packages, ...script.packages]));
}

/** Returns the bytes of each file below a folder, by its path there. */
function files(folder) {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((e) => e.isFile()).map((e) => join(e.parentPath, e.name));
  return new Map(paths.sort().map((path) => [path.slice(folder.length + 1), readFileSync(path)]));
}

async function check(dist) {
  const fresh = mkdtempSync(join(tmpdir(), "page-"));
  await buildInto(fresh);
  const [wanted, found] = [files(fresh), existsSync(dist) ? files(dist) : new Map()];
  rmSync(fresh, { recursive: true });
  const names = [...new Set([...wanted.keys(), ...found.keys()])];
  const differing = names.filter((name) => {
    const [a, b] = [wanted.get(name), found.get(name)];
    return !a || !b || !a.equals(b);
  });
  if (differing.length === 0) return;
  console.error(`page/dist is not what page/src builds: ${differing.join(", ")}\nRun make page.`);
  process.exitCode = 1;
}

const dist = join(here, "dist");
if (process.argv[2] === "--check") {
  await check(dist);
} else {
  rmSync(dist, { recursive: true, force: true });
  await buildInto(dist);
}
