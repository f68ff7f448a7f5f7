// The questions of this browser: searched, opened, deleted, saved. Where a question stands is
// looked up again while the list is on the screen.

import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { type BoxError, asBoxError } from "../../api/client.ts";
import {
  forgetAll, hasLoaded, hasMore, history, loadHistory, loadMore,
} from "../../jobs/history.ts";
import { isFinal } from "../../jobs/job.ts";
import { type Problem, problemsOf, search } from "../../jobs/problems.ts";
import { door, go, say } from "../../state.ts";
import { t } from "../../strings/index.ts";
import { Confirm } from "./confirm.tsx";
import { Entry, closeIfOpen } from "./entry.tsx";
import { Failure } from "../failure.tsx";
import { Saving } from "./saving.tsx";
import { searchText } from "./wording.ts";

/** How often the list is read while a question on it is being answered. */
const REFRESH_MS = 5_000;
/** Problems that are shown at once: a browser may have thousands. */
const SHOWN = 50;

export function HistoryView() {
  const words = t().history;
  const query = useSignal("");
  const error = useSignal<BoxError | null>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => keepFresh(error), []);
  useEffect(() => searchAll(query, error), [query.value !== ""]);

  const found = search(problemsOf(history.value), query.value, searchText);
  const focusHeading = () => heading.current?.focus({ preventScroll: true });
  const removeAll = async () => {
    await forgetAll();
    closeIfOpen(null);
    query.value = "";
    say(words.deletedAll);
    focusHeading();
  };
  return (
    <div class="history">
      <h2 ref={heading} tabIndex={-1}>{words.label}</h2>
      {error.value && <Failure error={error.value} again={() => void load(error)} />}
      {!hasLoaded.value && !error.value && <p class="quiet">{words.loading}</p>}
      {hasLoaded.value && history.value.length === 0 && <Empty />}
      {history.value.length > 0 && (
        <>
          <Search query={query} found={found.length} />
          <Problems problems={found} error={error} deleted={focusHeading} />
          {/* A kiosk belongs to nobody: a file would stay on it. */}
          {door.name !== "kiosk" && (
            <Saving isSearch={query.value.trim() !== ""} list={() => listAll(query)} />
          )}
          <Confirm label={words.deleteAll} question={words.reallyDeleteAll} yes={words.yesAll}
            act={removeAll} />
        </>
      )}
    </div>
  );
}

function Empty() {
  const words = t().history;
  return (
    <p>
      {words.empty}{" "}
      <button type="button" class="primary" onClick={() => go({ name: "ask" })}>{words.ask}</button>
    </p>
  );
}

function Search({ query, found }: { query: Signal<string>; found: number }) {
  const words = t().history;
  const isSearch = query.value.trim() !== "";
  return (
    <div role="search">
      <label for="history-search">{words.search}</label>
      <input id="history-search" type="search" value={query.value} autocomplete="off"
        onInput={(event) => (query.value = event.currentTarget.value)} />
      <p class="quiet found" aria-live="off">
        {isSearch && (hasMore.value ? words.searchOlder
          : found === 0 ? words.none : words.found(found))}
      </p>
    </div>
  );
}

interface ProblemsProps {
  problems: Problem[];
  error: Signal<BoxError | null>;
  deleted: () => void;
}

function Problems({ problems, error, deleted }: ProblemsProps) {
  const words = t().history;
  const shown = useSignal(SHOWN);
  const isLoading = useSignal(false);
  const list = useRef<HTMLUListElement>(null);
  const showOlder = async () => {
    if (isLoading.value) return;
    const before = list.current?.querySelectorAll(".entry").length ?? 0;
    shown.value += SHOWN;
    if (hasMore.value && problems.length <= shown.value) {
      isLoading.value = true;
      await attempt(loadMore, error);
      isLoading.value = false;
    }
    // The first new one gets the focus of the button, which may be gone. After the rendering.
    setTimeout(() => {
      const entry = list.current?.querySelectorAll(".entry")[before];
      entry?.querySelector("a")?.focus({ preventScroll: true });
    });
  };
  return (
    <>
      <ul class="entries" ref={list}>
        {problems.slice(0, shown.value).map((problem) => (
          <Entry key={problem.key} problem={problem} deleted={deleted} />
        ))}
      </ul>
      {(hasMore.value || problems.length > shown.value) && (
        <button type="button" onClick={() => void showOlder()}>
          {isLoading.value ? words.loadingOlder : words.older}
        </button>
      )}
    </>
  );
}

/** Reads the list now, and again while it is seen and something on it is being answered. */
function keepFresh(error: Signal<BoxError | null>): () => void {
  const refresh = (isDue: boolean) => {
    if (!document.hidden && isDue) void load(error);
  };
  const isOpen = () => history.peek().some(({ state }) => !isFinal(state));
  const shown = () => refresh(true);
  const ticking = setInterval(() => refresh(isOpen() || error.peek() !== null), REFRESH_MS);
  document.addEventListener("visibilitychange", shown);
  refresh(true);
  return () => {
    clearInterval(ticking);
    document.removeEventListener("visibilitychange", shown);
  };
}

const load = (error: Signal<BoxError | null>) => attempt(loadHistory, error);

/** Does something with the list, and notes whether it failed. */
async function attempt(act: () => Promise<unknown>, error: Signal<BoxError | null>) {
  try {
    await act();
    error.value = null;
  } catch (thrown) {
    const failed = asBoxError(thrown);
    // The same trouble again keeps its line, and its countdown.
    if (failed.kind !== error.peek()?.kind) error.value = failed;
  }
  return error.peek() === null;
}

/** Reads all older questions while a search is on, as the box itself searches nothing. */
function searchAll(query: Signal<string>, error: Signal<BoxError | null>): () => void {
  let isOn = query.peek() !== "";
  void (async () => {
    while (isOn && hasMore.peek() && (await attempt(loadMore, error)));
  })();
  return () => void (isOn = false);
}

/** Returns the ids of all questions, or of those that a search finds. */
async function listAll(query: Signal<string>): Promise<string[]> {
  while (await loadMore());
  const found = search(problemsOf(history.peek()), query.peek(), searchText);
  return found.flatMap(({ steps }) => steps.map(({ id }) => id));
}
