// The frame of the page: header, the state of the box, the view that the address names, and the
// live region. Each view is a folder of its own in views/; the form is there at once, the others
// are loaded when they are opened.

import { useEffect, useRef } from "preact/hooks";
import { chooseLanguage, language, languageTag, t } from "./strings/index.ts";
import {
  type Route, addressOf, box, current, door, go, isLeaving, modes, route, said,
} from "./state.ts";
import { chooseMathMLOnly, isMathMLOnly } from "./text/math-only.ts";
import { AskView } from "./views/ask/ask.tsx";
import { FoldedQuestion } from "./views/ask/folded.tsx";
import { later } from "./views/later.tsx";
import { Connect, Kiosk, OwnerView, Projector, SharedJob } from "./views/room/parts.ts";

const HistoryView = later(() =>
  import("./views/history/history.tsx").then((part) => part.HistoryView));
const JobView = later(() => import("./views/job/job.tsx").then((part) => part.JobView));

/** Whether this browser asks here; a shared question and the owner's view have no menu. */
const asksHere = door.name === "page" || door.name === "kiosk";

export function App() {
  useEffect(() => {
    // A person who types will want to see the answer.
    if (asksHere) addEventListener("input", () => JobView.preload(), { once: true });
  }, []);
  return (
    <>
      {door.name === "shared" && door.isBig ? <Projector token={door.token} /> : <Page />}
      <p class="unseen" role="status" aria-live="polite">{said.value}</p>
    </>
  );
}

function Page() {
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  useEffect(() => {
    // What had the focus is gone with the view before, unless the new view has taken it.
    const isFree = document.activeElement === document.body && !isFirst.current;
    isFirst.current = false;
    if (isFree) main.current?.focus({ preventScroll: true });
  }, [addressOf(route.value)]);
  return (
    <>
      <Header />
      <main id="main" tabIndex={-1} ref={main}>
        <BoxNotice />
        {!isLeaving.value && <View />}
      </main>
      <Footer />
      {door.name === "kiosk" && <Kiosk minutes={door.minutes} />}
    </>
  );
}

function Header() {
  const words = t().app;
  const other = language.value === "en" ? "zh" : "en";
  return (
    <header class="top">
      <h1>
        {asksHere
          ? <a href="#" onClick={(event) => follow(event, { name: "ask" })}>solverbox</a>
          : <a href="/">solverbox</a>}
      </h1>
      <nav aria-label={words.menu}>
        {asksHere && (
          <>
            <Place to={{ name: "ask" }} label={words.newQuestion} />
            <Place to={{ name: "history" }} label={words.history} />
            <Place to={{ name: "connect" }} label={words.connect} />
          </>
        )}
        <button type="button" class="plain" lang={other === "zh" ? "zh-CN" : "en"}
          onClick={() => chooseLanguage(other)}>
          {words.language}
        </button>
      </nav>
    </header>
  );
}

function Place({ to, label }: { to: Route; label: string }) {
  return (
    <a href={addressOf(to)} aria-current={route.value.name === to.name ? "page" : undefined}
      onClick={(event) => follow(event, to)}>
      {label}
    </a>
  );
}

function follow(event: MouseEvent, to: Route) {
  // With a modifier key the browser opens a tab of its own.
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  go(to);
}

/** How the box stands, where that is worth a line. */
function BoxNotice() {
  const words = t().app.box;
  const state = box.value;
  if (!state || state.state === "ready") return null;
  if (state.state === "loading") {
    const { bytes_loaded: loaded, bytes_total: total } = state;
    const share = total > 0 ? loaded / total : 0;
    return (
      <p class="notice">
        {words.loading(Math.floor(100 * share))}
        <progress value={share} aria-hidden="true" />
      </p>
    );
  }
  return <p class="notice bad">{words[state.state]}</p>;
}

/** Stands behind the form, which must not move when the box says that it has only the demo. */
function Demo() {
  return modes.value?.is_demo ? <p class="quiet">{t().app.demo}</p> : null;
}

function View() {
  if (door.name === "shared") return <SharedJob token={door.token} />;
  if (door.name === "owner") return <OwnerView />;
  const where = route.value;
  if (where.name === "connect") return <Connect />;
  if (where.name === "history") return <HistoryView />;
  const job = current.value;
  if (where.name === "job" && job?.id === where.id) {
    return (
      <>
        <FoldedQuestion job={job} key={`question ${job.id}`} />
        <JobView job={job} key={job.id} />
      </>
    );
  }
  return (
    <>
      <AskView />
      <Demo />
    </>
  );
}

function Footer() {
  const words = t().app;
  return (
    <footer class="quiet" lang={languageTag.value}>
      <p>{words.caution}</p>
      <p>
        <button type="button" class="plain" aria-pressed={isMathMLOnly.value}
          title={words.plainFormulasMean}
          onClick={() => chooseMathMLOnly(!isMathMLOnly.peek())}>
          {words.plainFormulas}
        </button>
      </p>
      {/* A kiosk has no way back from another page. */}
      {door.name !== "kiosk" && (
        <p><a href="/basic">{words.basic}</a> · <a href="/licences.txt">{words.licences}</a></p>
      )}
    </footer>
  );
}
