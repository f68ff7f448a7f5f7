// The requests of the owner (docs/identity.md, docs/jobs.md "For owners"), apart from the client of
// the page: only the owner's view loads them, and here a 401 means that the owner is not signed in.
// A wrong PIN must never be sent twice.

import { BoxError, asBoxError, errorOf } from "./error.ts";
import type { BoxInfo, Eta, JobState } from "./shapes.ts";

/** Hashing a PIN takes a board a while. */
const REPLY_WAIT_MS = 30_000;

/** `GET /api/owner/session`. */
export interface Session { signed_in: boolean; has_pin: boolean }

/** An entry of `GET /api/owner/jobs`; `client` only distinguishes clients. */
export interface OwnerJob {
  id: string;
  state: JobState;
  place: number | null;
  eta: Eta | null;
  mode: string;
  asked_at: number;
  client: string;
  attempts_wanted: number;
}

/** `GET` and `PUT /api/owner/limits`. */
export interface Limits { queue_jobs_max: number; client_jobs_max: number }

/** `GET /api/box` as far as the owner's view reads it. */
export interface BoxFigures extends BoxInfo {
  state: "loading" | "ready" | "failed" | "closing";
  model: { name: string; bytes: number; bytes_loaded: number; demo: boolean };
  plan: {
    context_tokens: number;
    sequences: number;
    threads: number;
    memory_mib: number;
    question_tokens_max: number;
  };
  queue: { running: number; waiting: number; waiting_max: number; client_jobs_max: number | null };
  tokens_per_second: number;
  temperature_celsius: number | null;
  memory: { resident_mib: number | null; peak_mib: number | null };
  up_since: number;
}

/** Sends a request; returns the JSON of its reply, or undefined for an empty one. */
async function send(path: string, method = "GET", body?: unknown): Promise<unknown> {
  const stopper = new AbortController();
  const deadline = setTimeout(() => stopper.abort(), REPLY_WAIT_MS);
  const request: RequestInit = { method, cache: "no-store", signal: stopper.signal };
  if (body !== undefined) {
    request.headers = { "Content-Type": "application/json" };
    request.body = JSON.stringify(body);
  }
  try {
    const response = await fetch(path, request);
    if (!response.ok) throw await errorOf(response);
    const text = await response.text();
    return text === "" ? undefined : parse(text, response.status);
  } catch (error) {
    throw asBoxError(error);
  } finally {
    clearTimeout(deadline);
  }
}

function parse(text: string, status: number): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new BoxError("nonsense", "the reply is not JSON", { status });
  }
}

/** Reads whether the owner is signed in. */
export async function getSession(): Promise<Session> {
  try {
    return (await send("/api/owner/session")) as Session;
  } catch (error) {
    if ((error as BoxError).kind !== "unauthorized") throw error;
    // The browser's own cookie is of another secret: loading the page gives it a new one.
    await fetch("/", { cache: "no-store" });
    return (await send("/api/owner/session")) as Session;
  }
}

export async function signIn(pin: string): Promise<void> {
  await send("/api/owner/session", "POST", { pin });
}

export async function signOut(): Promise<void> {
  await send("/api/owner/session", "DELETE");
}

const job = (id: string) => `/api/owner/jobs/${encodeURIComponent(id)}`;

export async function listAllJobs(): Promise<OwnerJob[]> {
  return ((await send("/api/owner/jobs")) as { jobs: OwnerJob[] }).jobs;
}

export async function moveToFront(id: string): Promise<void> {
  await send(`${job(id)}/move`, "POST");
}

export async function stopAnyJob(id: string): Promise<void> {
  await send(`${job(id)}/stop`, "POST");
}

export async function deleteAnyJob(id: string): Promise<void> {
  await send(job(id), "DELETE");
}

export async function stopAllJobs(): Promise<void> {
  await send("/api/owner/jobs", "DELETE");
}

export async function getLimits(): Promise<Limits> {
  return (await send("/api/owner/limits")) as Limits;
}

/** Changes limits until the box starts again; returns all that hold. */
export async function putLimits(limits: Partial<Limits>): Promise<Limits> {
  return (await send("/api/owner/limits", "PUT", limits)) as Limits;
}

export async function getFigures(): Promise<BoxFigures> {
  return (await send("/api/box")) as BoxFigures;
}

/** How many questions of a mode ended in the hour that begins `at`, in seconds since 1970. */
export interface UsageEntry { at: number; mode: string; jobs: number }

/** Reads the usage of the last days; null from a box that does not count. */
export async function getUsage(days: number): Promise<UsageEntry[] | null> {
  try {
    const { hours } = (await send(`/api/owner/usage?days=${days}`)) as { hours: UsageEntry[] };
    return hours;
  } catch (error) {
    if ((error as BoxError).kind === "not_found") return null;
    throw error;
  }
}
