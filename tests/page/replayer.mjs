// A server that looks like a box to the page: it serves page/dist with the box's headers and plays
// recordings through the box's API (docs/jobs.md), at any speed and with every kind of trouble:
// cut connections, rewinds, refusals, silence. It generates nothing and keeps nothing.
//
// `jobs` holds its jobs (`ReplayedJob` in replayed-job.mjs), `requests` what it was asked.

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { ReplayedJob } from "./replayed-job.mjs";
import { SiteFiles } from "./site-files.mjs";

/** A name that browsers map to this machine: over plain HTTP it is no secure context. */
export const HOST = "box.test";

/** As in src/http/reply.rs. */
export const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
  + "img-src 'self' data:; font-src 'self'; base-uri 'none'; form-action 'none'; "
  + "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";
const EVERY_REPLYS_HEADERS = {
  "Cache-Control": "no-store",
  "X-Content-Type-Options": "nosniff",
  "Content-Security-Policy": POLICY,
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Resource-Policy": "same-origin",
};
const COOKIE = "solverbox=replayed; HttpOnly; SameSite=Lax; Path=/; Max-Age=31536000";

const mode = (name, about, more) => ({
  name,
  about,
  is_default: false,
  votes: false,
  attempts: 1,
  budget_tokens: 32768,
  student_attempt: false,
  is_supported: true,
  examples: [],
  ...more,
});

/** The modes as a box with VibeThinker has them (src/types/modes.toml). */
export const MODES = [
  mode("math", "Solves a mathematics problem step by step; the final answer is in a box", {
    is_default: true,
    votes: true,
    examples: ["What is $348 + 577$?", "Solve $x^2 - 5x + 6 = 0$."],
  }),
  mode("code", "Solves a programming problem: the algorithm first, then clean code"),
  mode("hint", "Gives the next idea only, never the full solution", { budget_tokens: 8192 }),
  mode("review", "Reads a student's own attempt and says where it fails and why", {
    student_attempt: true,
    budget_tokens: 16384,
  }),
  mode("proof", "Writes a rigorous proof, every claim justified"),
  mode("plain", "Answers briefly, with no special instructions about form", {
    votes: true,
    budget_tokens: 8192,
  }),
];

/** Makes the body of an error. */
export const error = (kind, message = "this is a test", remedy = "Try again.") => ({
  error: { kind, message, remedy },
});

export class Replayer {
  jobs = new Map();
  requests = [];
  health = { status: 200, state: "ready", bytes_loaded: 100, bytes_total: 100, demo: false };
  modes = { modes: structuredClone(MODES), is_demo: false, question_tokens_max: 2048 };
  info = {
    version: "0.0.0",
    model: { name: "VibeThinker-1.5B" },
    run: false,
    addresses: ["http://192.168.1.7:7860", "http://box.local:7860"],
  };
  /** Returns when a question asked now would be answered. */
  estimate = (_mode, attempts) => ({
    eta: { seconds: 60 * attempts, low: 30 * attempts, high: 150 * attempts },
    place: 1,
  });
  /** Returns the attempts and options (see `ReplayedJob`) of a question that is asked. */
  onAsk = () => ({ attempts: [{ thinking: "Hm.", answer: "It is $\\boxed{4}$.", value: "4" }] });
  /** How soon a reader whose stream breaks is told to come back. */
  retryMs = 100;
  #refusals = [];
  #keys = new Map();
  #shares = new Map();
  #sockets = new Set();
  #files = new SiteFiles();

  /** Starts a replayer on a port of its own. */
  static async start() {
    const replayer = new Replayer();
    await replayer.listen(0);
    return replayer;
  }

  get origin() {
    return `http://${HOST}:${this.port}`;
  }

  async listen(port = this.port) {
    this.server = createServer((request, response) => void this.#answer(request, response));
    // Connections without a request are no reason to wait.
    this.server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    this.server.listen(port, "127.0.0.1");
    await once(this.server, "listening");
    this.port = this.server.address().port;
  }

  /** Breaks all connections, as a network that is switched off and on. */
  cut() {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Is not there any more until `listen`, as a box that was killed. */
  async die() {
    const closed = once(this.server, "close");
    this.server.close();
    this.cut();
    await closed;
  }

  async close() {
    for (const job of this.jobs.values()) job.pause();
    await this.die();
  }

  /** Adds a job, as if it had been asked; the newest is the last. */
  add(options) {
    const job = new ReplayedJob(randomBytes(16).toString("hex"), options);
    this.jobs.set(job.id, job);
    return job;
  }

  /** Returns the job that was asked last. */
  get last() {
    return [...this.jobs.values()].pop();
  }

  /**
   * Refuses the next `times` requests for a method and a path with a status, a body and headers;
   * without a status they get no answer at all.
   */
  refuse(method, path, { status, body, headers = {}, times = 1 }) {
    this.#refusals.push({ method, path, status, body, headers, times });
  }

  /** Takes the next request for a method and a path, but breaks the connection before the reply. */
  loseReply(method, path) {
    this.#refusals.push({ method, path, isLost: true, times: 1 });
  }

  stopRefusing() {
    this.#refusals = [];
  }

  /** Returns the requests so far for a method and a path. */
  asked(method, path) {
    return this.requests.filter(
      (request) => request.method === method && matches(path, request.path),
    );
  }

  async #answer(request, response) {
    const url = new URL(request.url, this.origin);
    const parts = [];
    for await (const part of request) parts.push(part);
    const body = Buffer.concat(parts).toString();
    const { method, headers } = request;
    const seen = {
      method,
      path: url.pathname,
      query: url.searchParams,
      headers,
      body,
      at: Date.now(),
    };
    this.requests.push(seen);
    for (const [name, value] of Object.entries(EVERY_REPLYS_HEADERS))
      response.setHeader(name, value);
    // The box's gate reads one request of a connection.
    response.setHeader("Connection", "close");
    const refusal = this.#refusals.find(
      (one) => one.times > 0 && one.method === method && matches(one.path, url.pathname),
    );
    if (refusal) {
      refusal.times -= 1;
      if (refusal.isLost) response.end = () => request.socket.destroy();
      else if (refusal.status) json(response, refusal.status, refusal.body, refusal.headers);
      if (!refusal.isLost) return;
    }
    if (url.pathname.startsWith("/api/") || url.pathname === "/healthz") {
      return this.#answerApi(seen, response);
    }
    if (url.pathname === "/") response.setHeader("Set-Cookie", COOKIE);
    if (!this.#files.send(request, response, url.pathname)) json(response, 404, error("not_found"));
  }

  #answerApi(seen, response) {
    const { method, path, query } = seen;
    const [, , room, id, part] = path.split("/");
    if (path === "/healthz") {
      const { status, ...health } = this.health;
      return json(response, status, health);
    }
    if (path === "/api/modes") return json(response, 200, this.modes);
    if (path === "/api/box") return json(response, 200, this.info);
    if (path === "/api/estimate") {
      return json(
        response,
        200,
        this.estimate(query.get("mode"), Number(query.get("attempts") ?? 1)),
      );
    }
    if (room === "browser" && method === "DELETE") {
      for (const job of this.jobs.values()) job.end("stopped");
      this.jobs.clear();
      return empty(response, 204);
    }
    if (room === "shared") return this.#shared(id, part, seen, response);
    if (room !== "jobs") return json(response, 404, error("not_found"));
    if (!id) return method === "POST" ? this.#ask(seen, response) : this.#list(query, response);
    return this.#job(this.jobs.get(id), part, seen, response);
  }

  #ask({ body, headers }, response) {
    const key = headers["idempotency-key"];
    const known = key && this.#keys.get(key);
    if (known && known.body !== body) return json(response, 409, error("conflict"));
    const ask = JSON.parse(body);
    const options = known ? {} : this.onAsk(ask);
    const job = known ? this.jobs.get(known.id) : this.add({ ask, ...options });
    if (key) this.#keys.set(key, { id: job.id, body });
    const { state, place, eta } = job;
    json(response, 202, { id: job.id, state, place, eta_s: eta?.seconds ?? null });
  }

  #list(query, response) {
    const all = [...this.jobs.values()].reverse();
    const before = query.get("before");
    const from = before ? all.findIndex((job) => job.id === before) + 1 : 0;
    const limit = Number(query.get("limit") ?? 50);
    const jobs = all.slice(from, from + limit);
    const next = from + limit < all.length ? jobs[jobs.length - 1].id : null;
    json(response, 200, { jobs: jobs.map((job) => job.listed()), next });
  }

  #job(job, part, { method, query, headers }, response) {
    if (!job) return json(response, 404, error("not_found", "you have no such job"));
    if (part === "events") {
      return job.stream(
        response,
        query.get("from") ?? headers["last-event-id"] ?? "",
        this.retryMs,
      );
    }
    if (part === "stop") job.end("stopped");
    if (part === "finish") job.finishNow();
    if (part === "stop" || part === "finish")
      return json(response, 202, { id: job.id, state: job.state });
    if (part === "share" && method === "POST") {
      const token = randomBytes(16).toString("hex");
      this.#shares.set(token, job);
      return json(response, 201, { token, path: `/?shared=${token}` });
    }
    if (part === "share") {
      for (const [token, shared] of this.#shares) if (shared === job) this.#shares.delete(token);
      return empty(response, 204);
    }
    if (method !== "DELETE") return json(response, 200, job.whole());
    job.end("stopped");
    this.jobs.delete(job.id);
    return empty(response, 204);
  }

  #shared(token, part, { query, headers }, response) {
    const job = this.#shares.get(token);
    if (!job) return json(response, 404, error("not_found", "this link was withdrawn"));
    if (part !== "events") return json(response, 200, job.whole());
    job.stream(response, query.get("from") ?? headers["last-event-id"] ?? "", this.retryMs);
  }
}

const matches = (path, named) => (path instanceof RegExp ? path.test(named) : path === named);

function json(response, status, body, headers = {}) {
  response.writeHead(status, { "Content-Type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}

function empty(response, status) {
  response.writeHead(status);
  response.end();
}
