// The requests of the box's API (docs/api.md, docs/jobs.md), each a function that returns what the
// box replied or throws a BoxError. The whole page asks the box through here and nowhere else.
// It keeps nothing, shows nothing and tries nothing twice, except after a 401: the box has a new
// secret then, and loading `/` gives the browser a new cookie.

import { BoxError, asBoxError, errorOf } from "./error.ts";
import type {
  AcceptedJob, Ask, BoxInfo, Estimate, Health, Job, JobList, ModeList,
} from "./shapes.ts";

export { BoxError, asBoxError } from "./error.ts";

/** A board under full load answers late; a box that is gone never does. */
const REPLY_WAIT_MS = 30_000;
const KEY_BYTES = 16;

interface Options {
  method?: "GET" | "POST" | "DELETE";
  headers?: Record<string, string>;
  body?: string;
  signal?: AbortSignal | undefined;
}

/** What `POST /api/jobs/ID/share` returns. */
export interface Share { token: string; path: string }

/** Returns the requests to the box at an address; the page's own box is at "". */
export function clientAt(address: string) {
  let renewal: Promise<void> | null = null;
  let renewals = 0;

  /** Loads the page, whose reply sets a cookie; one load serves all requests that failed. */
  function renewCookie(): Promise<void> {
    renewal ??= fetch(`${address}/`, { cache: "no-store" })
      .then((response) => response.text())
      // If that failed too, the request that is repeated says so.
      .then(() => {}, () => {})
      .then(() => {
        renewal = null;
        renewals += 1;
      });
    return renewal;
  }

  /** Sends a request; returns the reply once its head is here, if it is none of the errors. */
  async function reply(path: string, request: Options, allowed = 200): Promise<Response> {
    const send = () => fetch(address + path, { cache: "no-store", ...request } as RequestInit);
    try {
      const before = renewals;
      let response = await send();
      if (response.status === 401) {
        // Unless another request got a new cookie since this one was sent.
        if (renewals === before) await renewCookie();
        response = await send();
      }
      if (response.ok || response.status === allowed) return response;
      throw await errorOf(response);
    } catch (error) {
      throw asBoxError(error);
    }
  }

  /** Sends a request that has to be answered in time; returns what `read` takes of the reply. */
  async function exchange<T>(
    path: string, request: Options, read: (response: Response) => Promise<T>, allowed = 200,
  ): Promise<T> {
    const stopper = new AbortController();
    const stop = () => stopper.abort();
    const deadline = setTimeout(stop, REPLY_WAIT_MS);
    request.signal?.addEventListener("abort", stop);
    if (request.signal?.aborted) stop();
    try {
      const response = await reply(path, { ...request, signal: stopper.signal }, allowed);
      return await read(response);
    } catch (error) {
      throw asBoxError(error);
    } finally {
      clearTimeout(deadline);
      request.signal?.removeEventListener("abort", stop);
    }
  }

  const get = <T>(path: string, signal?: AbortSignal) => exchange<T>(path, { signal }, json);
  const act = async (path: string, method: "POST" | "DELETE") => {
    await exchange(path, { method }, (response) => response.text());
  };
  const job = (id: string) => `/api/jobs/${encodeURIComponent(id)}`;
  const shared = (token: string) => `/api/shared/${encodeURIComponent(token)}`;

  return {
    getHealth: async (): Promise<Health> => {
      // While the model loads, the status is 503 and the body says how far it is.
      const health = await exchange<Partial<Health>>("/healthz", {}, json, 503);
      if (typeof health?.state === "string") return health as Health;
      throw new BoxError("busy", "the box does not take connections", { status: 503 });
    },
    getModes: () => get<ModeList>("/api/modes"),
    getBox: () => get<BoxInfo>("/api/box"),
    getEstimate: (mode: string, attempts: number) =>
      get<Estimate>(`/api/estimate?mode=${encodeURIComponent(mode)}&attempts=${attempts}`),
    /** Asks a question. Repeated under the same key it returns the same job. */
    askJob: (ask: Ask, key: string): Promise<AcceptedJob> => {
      const headers = { "Content-Type": "application/json", "Idempotency-Key": key };
      const body = JSON.stringify(ask);
      return exchange<AcceptedJob>("/api/jobs", { method: "POST", headers, body }, json);
    },
    getJob: (id: string, signal?: AbortSignal) => get<Job>(job(id), signal),
    listJobs: (before?: string, limit?: number) => {
      const query = [];
      if (before) query.push(`before=${before}`);
      if (limit) query.push(`limit=${limit}`);
      return get<JobList>(query.length > 0 ? `/api/jobs?${query.join("&")}` : "/api/jobs");
    },
    finishJob: (id: string) => act(`${job(id)}/finish`, "POST"),
    stopJob: (id: string) => act(`${job(id)}/stop`, "POST"),
    deleteJob: (id: string) => act(job(id), "DELETE"),
    /** Deletes all that the box keeps of this browser, or all but what it shares, and becomes a new
        browser to the box. */
    deleteBrowser: async (what: "all" | "unshared" = "all") => {
      await act(what === "all" ? "/api/browser" : "/api/browser?keep=shared", "DELETE");
      await renewCookie();
    },
    shareJob: (id: string) => exchange<Share>(`${job(id)}/share`, { method: "POST" }, json),
    unshareJob: (id: string) => act(`${job(id)}/share`, "DELETE"),
    getShared: (token: string, signal?: AbortSignal) => get<Job>(shared(token), signal),
    /** Opens the events of a job from a position of its log; without a deadline. */
    openEvents: (id: string, from: string, signal: AbortSignal) =>
      reply(`${job(id)}/events?from=${from}`, { signal }),
    openSharedEvents: (token: string, from: string, signal: AbortSignal) =>
      reply(`${shared(token)}/events?from=${from}`, { signal }),
  };
}

export type Client = ReturnType<typeof clientAt>;

async function json<T>(response: Response): Promise<T> {
  const text = await response.text();
  try {
    return JSON.parse(text) as T;
  } catch {
    // A login page of the network, for one.
    throw new BoxError("nonsense", "the reply is not JSON", { status: response.status });
  }
}

/** Returns a new key for a question, from random bytes. */
export function newKey(): string {
  // Not randomUUID, which browsers have over TLS only.
  const bytes = crypto.getRandomValues(new Uint8Array(KEY_BYTES));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The requests to the box that served the page. */
export const boxClient = clientAt("");
export const {
  getHealth, getModes, getBox, getEstimate, askJob, getJob, listJobs, finishJob, stopJob,
  deleteJob, deleteBrowser, shareJob, unshareJob, getShared,
} = boxClient;
