// page/dist as the box serves it: plain or gzipped, hashed names kept for a year, the page itself
// never, and 304 for what a browser already has. PAGE_DIST names another build of it.

import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { extname, join } from "node:path";
import { gzipSync } from "node:zlib";

export const DIST = process.env.PAGE_DIST ?? join(import.meta.dirname, "../../page/dist");

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".txt": "text/plain; charset=utf-8",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};

export class SiteFiles {
  #files = new Map();

  constructor(folder = DIST) {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const plain = readFileSync(path);
      const type = TYPES[extname(path)];
      if (!type) throw new Error(`${path} has an unknown type`);
      const isPacked = type === TYPES[".woff2"];
      const etag = `"${createHash("sha256").update(plain).digest("hex").slice(0, 16)}"`;
      const file = { plain, gzipped: isPacked ? null : gzipSync(plain, { level: 9 }), type, etag };
      this.#files.set(`/${path.slice(folder.length + 1)}`, file);
    }
    this.#files.set("/", this.#files.get("/index.html"));
  }

  /** Answers a request for a file; returns whether there is one. */
  send(request, response, path) {
    const file = this.#files.get(path);
    if (!file) return false;
    const kept = path.startsWith("/assets/");
    if (kept) response.setHeader("Cache-Control", "public, max-age=31536000, immutable");
    response.setHeader("Vary", "Accept-Encoding");
    response.setHeader("ETag", file.etag);
    if (request.headers["if-none-match"] === file.etag) {
      response.writeHead(304).end();
      return true;
    }
    const gzipped = /\bgzip\b/.test(request.headers["accept-encoding"] ?? "") && file.gzipped;
    if (gzipped) response.setHeader("Content-Encoding", "gzip");
    const body = gzipped || file.plain;
    response.writeHead(200, { "Content-Type": file.type, "Content-Length": body.length });
    response.end(request.method === "HEAD" ? undefined : body);
    return true;
  }
}
