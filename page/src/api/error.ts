// What can go wrong with a request, in one type: the box's own errors (docs/api.md), a box that
// cannot be reached, and a reply that is not the box's. The words for people are in strings/.

import type { ErrorBody, ErrorKind } from "./shapes.ts";

interface Details {
  remedy?: string;
  /** Status of the reply; 0 without one. */
  status?: number;
  retryAfterMs?: number | null;
}

/** The failure of a request. `message` and `remedy` are the box's, in English. */
export class BoxError extends Error {
  readonly kind: ErrorKind;
  readonly remedy: string;
  readonly status: number;
  /** When the box expects to take the request; null if it did not say. */
  readonly retryAfterMs: number | null;

  constructor(kind: ErrorKind, message: string, details: Details = {}) {
    super(message);
    this.name = "BoxError";
    this.kind = kind;
    this.remedy = details.remedy ?? "";
    this.status = details.status ?? 0;
    this.retryAfterMs = details.retryAfterMs ?? null;
  }
}

const KINDS: Record<ErrorKind, true> = {
  bad_request: true, unauthorized: true, forbidden: true, not_found: true, conflict: true,
  too_long: true, misdirected: true, too_many: true, internal: true, bad_model: true,
  environment: true, busy: true, stopped: true, no_model: true, no_memory: true, no_space: true,
  unreachable: true, nonsense: true,
};

/** Kinds of replies without the box's error, as a proxy before the box sends them. */
const KIND_OF_STATUS: Record<number, ErrorKind> = {
  401: "unauthorized", 403: "forbidden", 404: "not_found", 413: "too_long", 429: "too_many",
  502: "unreachable", 503: "busy", 504: "unreachable",
};

/** Reads the error that a reply carries. */
export async function errorOf(response: Response): Promise<BoxError> {
  const { status } = response;
  const wait = response.headers.get("Retry-After") ?? "";
  const retryAfterMs = /^\d+$/.test(wait) ? 1_000 * Number(wait) : null;
  let body: Partial<ErrorBody> | undefined;
  try {
    body = ((await response.json()) as { error?: Partial<ErrorBody> } | null)?.error;
  } catch {
    // Not the box's own words: the status has to do.
  }
  const named = body?.kind !== undefined && body.kind in KINDS ? body.kind : undefined;
  const kind = named ?? KIND_OF_STATUS[status] ?? "nonsense";
  const details = { remedy: body?.remedy ?? "", status, retryAfterMs };
  return new BoxError(kind, body?.message ?? `the box answered with status ${status}`, details);
}

/** Returns any thrown value as an error of a request: what is not one yet broke the connection. */
export function asBoxError(thrown: unknown): BoxError {
  if (thrown instanceof BoxError) return thrown;
  return new BoxError("unreachable", thrown instanceof Error ? thrown.message : String(thrown));
}
