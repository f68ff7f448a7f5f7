// What the page does: asks one question at a time over the OpenAI-shaped API, shows thinking, votes
// and answer as they come, and goes on from an answer. A module, so nothing leaks into the window.
// Deliberately not here: Markdown, formulas (the model's text only ever becomes text nodes),
// history, going on after a reload.

const SECOND_MS = 1000;
/** Shortest answer whose speed is shown. */
const MEASURED_FROM_MS = 200;
/** Units that expected times are worded in, in seconds. */
const UNITS = [[3600, "hour"], [60, "minute"], [1, "second"]];
/** Three heartbeats missed: the box may be gone. */
const SILENCE_MS = 45 * SECOND_MS;
/** So near its end a reader counts as reading along. */
const END_PX = 40;
/** Text in one block before the next line starts another. */
const BLOCK_CHARS = 1000;
/** Attempts that can be chosen, beside the mode's own number. */
const ATTEMPTS = [1, 2, 4, 8];
const FAULT = "The box has a fault. Please tell the person who looks after it.";

/** The page's elements by their id. */
const page = {};
let modes = [];
let boxState = "";
/** The question being answered, if one is. */
let job = null;
/** The conversation on the page, where the next question can go on from it. */
let talk = null;

// What comes over the line.

/** Makes a reader of server-sent events: bytes cut anywhere go in, whole events come out. */
export function eventReader(onData, onComment) {
  const decoder = new TextDecoder();
  let rest = "";
  let data = [];
  return function feed(bytes) {
    rest += decoder.decode(bytes, { stream: true });
    // A CR at the very end may be half of a CRLF: it waits for what follows.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
      if (line.startsWith(":")) onComment(line.slice(1).trim());
      if (line === "" && data.length > 0) {
        onData(data.join("\n"));
        data = [];
      }
    }
  };
}

/** Returns the content of the last complete \boxed{…} or \fbox{…}, or ""; as words/value.rs does. */
export function boxed(text) {
  const boxes = [...text.matchAll(/\\(?:boxed|fbox)\s*\{/g)];
  const starts = boxes.map((found) => found.index + found[0].length);
  for (const start of starts.reverse()) {
    for (let i = start, depth = 1; i < text.length; i++) {
      if (text[i] === "\\") i++;
      else if (text[i] === "{") depth++;
      else if (text[i] === "}" && --depth === 0) return text.slice(start, i).trim();
    }
  }
  return "";
}

// The box: loading, ready, gone.

/** Shows how the box stands, again and again until it is ready. */
async function watchBox() {
  let health = { state: "gone" };
  try {
    health = await (await fetch("/healthz", { cache: "no-store" })).json();
    if (modes.length === 0) await loadModes();
  } catch {
    // Not reachable: look again.
  }
  showBox(health);
  if (boxState !== "ready" || modes.length === 0) setTimeout(watchBox, SECOND_MS);
}

function showBox({ state, bytes_loaded: loaded, bytes_total: total, demo }) {
  const texts = {
    loading: "The model is loading. You can ask already: your question waits in line.",
    failed: FAULT,
    closing: "The box is being switched off.",
    gone: "The box does not answer. Trying again …",
    // Only to those who saw it otherwise.
    ready: boxState && "The box is ready.",
  };
  // A live region is read aloud each time it is set, so only changes are.
  if (state !== boxState) page.box.textContent = texts[state] ?? "";
  page.box.className = state === "failed" || state === "gone" ? "bad" : "";
  page.loading.hidden = state !== "loading";
  if (demo !== undefined) page.demo.hidden = !demo;
  if (state === "loading" && total > 0) {
    page.progress.value = loaded / total;
    page.percent.textContent = `${Math.floor((100 * loaded) / total)} %`;
  }
  boxState = state;
}

// Modes.

async function loadModes() {
  const list = await (await fetch("/v1/models")).json();
  modes = list.data.filter((model) => model.id.includes(":"));
  for (const { id } of modes) {
    page.mode.append(new Option(capital(id.slice(id.indexOf(":") + 1)), id));
  }
  const first = modes.find(({ id }) => id === remembered()) ?? modes.find((mode) => mode.default);
  if (first) page.mode.value = first.id;
  showMode();
}

const chosenMode = () => modes.find((mode) => mode.id === page.mode.value);

function showMode() {
  page.about.textContent = chosenMode()?.about ?? "";
  page.attemptRow.hidden = !chosenMode()?.student_attempt;
  const { votes, attempts } = chosenMode() ?? {};
  page.voting.hidden = page.worth.hidden = !votes;
  const choices = [...new Set([...ATTEMPTS, attempts ?? 1])].sort((a, b) => a - b);
  page.attempts.replaceChildren(...choices.map((n) => new Option(n, n, n === attempts)));
}

// A kiosk may have storage switched off: then the mode is not remembered.
function remembered() {
  try {
    return localStorage.mode;
  } catch {}
}

function remember(id) {
  try {
    localStorage.mode = id;
  } catch {}
}

// Asking.

/** Returns the request the form describes, or nothing after saying what is missing. */
function readForm() {
  const content = page.question.value.trim();
  const { id, votes, student_attempt: reads } = chosenMode() ?? {};
  const attempt = reads ? page.attempt.value.trim() : undefined;
  if (!content) return missing(page.question, "Type a question first.");
  if (attempt === "") {
    return missing(page.attempt, "Write your own attempt first: this mode reads it.");
  }
  return {
    model: id ?? "solverbox",
    messages: [{ role: "user", content }],
    attempts: votes ? Number(page.attempts.value) : undefined,
    attempt_of_student: attempt,
    stream: true,
    stream_options: { include_usage: true },
  };
}

/** Returns the request that goes on from the answer shown. */
function readNext() {
  const content = page.next.value.trim();
  if (!content) return missing(page.next, "Type what you want to know next.");
  const messages = [{ role: "user", content }];
  return { ...talk.request, messages, attempt_of_student: undefined, previous: talk.job };
}

function missing(field, text) {
  say(text, "bad");
  field.focus();
}

const ask = () => job || send(readForm(), page.ask);
const goOn = () => job || send(readNext(), page.goOn);

/** Asks what a button stands for, to the end of its answer. */
async function send(request, button) {
  if (!request) return;
  const [asked, stopper] = [now(), new AbortController()];
  const nothing = { thinking: "", words: 0, counted: 0, answer: "" };
  job = { request, button, stopper, asked, heard: asked, ...nothing };
  showAsking();
  const ticking = setInterval(showProgress, SECOND_MS);
  try {
    let response = await post(request);
    // The box has forgotten the conversation, which stands on this page: it is told all of it.
    if (response.status === 404 && request.previous) {
      const messages = [...talk.turns, ...request.messages];
      response = await post({ ...request, messages, previous: undefined });
    }
    if (response.ok) await readAnswer(response.body.getReader());
    else await readRefusal(response);
  } catch {
    // Stopped or broken: endingText tells which from what came.
  }
  clearInterval(ticking);
  closeOutput();
}

const post = (request) =>
  fetch("/v1/chat/completions", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(request),
    signal: job.stopper.signal,
  });

/** Stops the job: the box ends it within one step when the connection goes. */
function stop() {
  if (!job) return;
  job.stopped = true;
  job.stopper.abort();
}

async function readAnswer(reader) {
  job.accepted = true;
  openOutput();
  const feed = eventReader(takeChunk, takeComment);
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    job.heard = now();
    // Scrolls along where the reader does. Measuring is dear: once a read, and nothing folded.
    const boxes = [document.documentElement];
    if (page.thinking.open) boxes.push(page.thoughts);
    const followed = boxes.filter(atEnd);
    feed(read.value);
    showProgress();
    for (const box of followed) box.scrollTop = box.scrollHeight;
  }
}

const atEnd = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < END_PX;

function takeComment(text) {
  if (text.startsWith("place ")) job.place = Number(text.slice(6));
  if (text.startsWith("running")) {
    job.running = true;
    job.tally = text.slice("running, ".length);
  }
  if (text.startsWith("eta ")) {
    const [seconds, low, high] = text.slice(4).split(" ").map(Number);
    job.eta = { seconds, low, high, said: now() };
  }
}

function takeChunk(data) {
  if (data === "[DONE]") {
    job.whole = true;
    return;
  }
  const { error, usage, choices, solverbox } = JSON.parse(data);
  if (error) job.fault = error;
  if (usage) job.tokens = usage.completion_tokens;
  const { delta, finish_reason: finish } = choices?.[0] ?? {};
  if (finish) job.finish = finish;
  if (solverbox) job.result = solverbox;
  const { reasoning_content: thinking, content: answer } = delta ?? {};
  if (!thinking && !answer) return;
  job.lastPiece = now();
  job.firstPiece ??= job.lastPiece;
  if (!job.answer) job.thought = job.lastPiece;
  if (thinking) job.thinking += append(page.thoughts, thinking);
  if (answer) job.answer += append(page.answer, answer);
}

/** Keeps why the box refused the question, and when to ask again. */
async function readRefusal(response) {
  const { error } = await response.json().catch(() => ({}));
  job.refusal = faultText(error);
  job.again = now() + response.headers.get("Retry-After") * SECOND_MS;
}

const capital = (text) => text[0].toUpperCase() + text.slice(1);
const faultText = (error) => capital(error?.message || FAULT);

function countDown(refusal, again) {
  if (job || page.state.textContent !== refusal) return;
  if (now() >= again) return say("You can ask again now.");
  page.elapsed.textContent = `again in ${since(now(), again)}`;
  setTimeout(countDown, SECOND_MS, refusal, again);
}

// Showing.

function say(text, kind = "") {
  if (page.state.textContent !== text) page.state.textContent = text;
  page.state.className = kind;
  page.elapsed.textContent = page.eta.textContent = "";
  // For those who wait in another tab.
  document.title = `${text} – solverbox`;
}

function showAsking() {
  page.stop.hidden = false;
  // A disabled button loses the focus.
  if (document.activeElement === job.button) page.stop.focus({ preventScroll: true });
  page.ask.disabled = page.goOn.disabled = true;
  showProgress();
}

/** Makes room for the answer to a question that was taken. */
function openOutput() {
  const { previous, messages, attempt_of_student: attempt } = job.request;
  const question = messages[0].content;
  if (previous) foldAnswer();
  else page.before.textContent = "";
  page.next.value = "";
  const { boxed, tally, answer, mark, figures, thoughts } = page;
  for (const place of [boxed, tally, answer, mark, figures, thoughts]) place.textContent = "";
  const content = attempt ? `${question}\n\n${attempt}` : question;
  job.turns = [...(previous ? talk.turns : []), { role: "user", content }];
  talk = null;
  page.asked.textContent = question;
  page.answer.className = "";
  page.thinking.open = false;
  // A hidden field loses the focus.
  if (document.activeElement === page.next) page.stop.focus({ preventScroll: true });
  page.more.hidden = true;
  page.output.hidden = false;
  showProgress();
  page.output.scrollIntoView({ block: "nearest" });
}

/** Folds the question shown and its answer, above the one that goes on from them. */
function foldAnswer() {
  const [fold, summary] = ["details", "summary"].map((name) => document.createElement(name));
  const answer = page.answer.cloneNode(true);
  answer.removeAttribute("id");
  summary.textContent = page.asked.textContent;
  fold.append(summary, answer);
  page.before.append(fold);
}

/** Says where the question is on its way, and lets the seconds pass. */
function showProgress() {
  const silent = now() - job.heard > SILENCE_MS;
  say(silent ? "Nothing comes from the box any more." : progressText(), silent ? "bad" : "");
  page.elapsed.textContent = since(job.asked);
  page.eta.textContent = silent || job.answer || !job.eta ? "" : expectation(job.eta);
  if (!job.accepted) return;
  showSummary();
  showTally(job.tally ? `${job.tally}.` : "");
  // Programs need their columns; until Markdown is shown, the whole answer gets them.
  if (job.answer.includes("```")) page.answer.className = "code";
}

function progressText() {
  if (job.answer) return "Answering …";
  if (job.thinking) return "Thinking …";
  if (job.tally) return "Waiting for the other attempts …";
  if (job.running) return "Reading your question …";
  if (boxState === "loading") return "In line until the model is loaded …";
  if (job.place > 1) return `In line: ${counted(job.place - 1, "question")} before yours …`;
  return job.place >= 0 ? "In line: yours is next …" : "Asking …";
}

/** Shows the votes; a live region is read aloud each time it is set, so only changes are. */
function showTally(text) {
  if (page.tally.textContent !== text) page.tally.textContent = text;
}

/** Words what the attempts voted; nothing where there was but one. */
export function verdict({ attempts = 1, ended, votes }) {
  if (attempts < 2) return "";
  const [leading, ...others] = votes;
  if (!leading) return `None of ${ended} attempts has an answer that could be compared.`;
  const list = others.map(({ value, count }) => `${value} (${counted(count, "attempt")})`);
  const agree =
    leading.count > 1
      ? `${leading.count} of ${ended} attempts agree on ${leading.value}.`
      : `Of ${counted(ended, "attempt")} no two agree: ${leading.value} is a guess.`;
  const rest = list.length > 0 ? ` Others say ${list.join(", ")}.` : "";
  const spared = attempts - ended;
  return agree + rest + (spared > 0 ? ` ${spared} more would hardly change that.` : "");
}

function showSummary() {
  page.thinking.hidden = !job.thinking;
  // Counts on from where it was: a kiosk's page shares its processor with the model.
  job.words += ` ${job.thinking}`.slice(job.counted).match(/\s\S/g)?.length ?? 0;
  job.counted = job.thinking.length;
  const words = counted(job.words, "word");
  const going = !job.answer && !job.over;
  const time = since(job.firstPiece, going ? undefined : job.thought);
  // The answer may be another attempt's.
  const whose = job.request.attempts > 1 ? "First attempt's thinking" : "Thinking";
  page.summary.textContent = `${whose}${going ? " …" : ""} (${words}, ${time})`;
}

/** Adds text to a place and returns it, without white space where it is the first. */
function append(place, text) {
  const last = place.lastChild?.firstChild;
  const piece = last ? text : text.trimStart();
  // A new block now and then, so that the browser lays out only the last, not 80 KB a token.
  const cut = last?.length > BLOCK_CHARS ? piece.lastIndexOf("\n") + 1 : 0;
  last?.appendData(piece.slice(0, cut || undefined));
  if (!last || cut) place.appendChild(document.createElement("div")).append(piece.slice(cut));
  return piece;
}

const now = () => performance.now();
const counted = (n, one) => `${n} ${one}${n === 1 ? "" : "s"}`;
const since = (from, until = now()) => duration((until - from) / SECOND_MS);

export function duration(seconds) {
  const whole = Math.round(seconds);
  return whole < 100 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** Words when an answer is expected, as roughly as it is known; nothing once that has passed. */
export function expectation({ seconds, low, high, said }, until = now()) {
  const passed = (until - said) / SECOND_MS;
  const most = high - passed;
  if (most <= 0) return "";
  const [unit, name] = UNITS.find(([unit]) => unit === 1 || most >= 1.5 * unit);
  const step = unit === 1 ? 10 : most > 20 * unit ? 5 * unit : unit;
  const rough = (at) => (Math.max(0, Math.round((at - passed) / step)) * step) / unit;
  const [about, from, to] = [seconds, low, high].map(rough);
  if (about === 0) return `ready in less than ${counted(step / unit, name)}`;
  return `ready in about ${counted(about, name)}${from < to ? ` (${from} to ${to})` : ""}`;
}

// Ending.

function endingText() {
  if (job.refusal) return job.refusal;
  if (job.fault) return faultText(job.fault);
  if (job.finish === "length") return "Cut off: an answer may not get longer than this.";
  if (job.whole) return job.answer ? "Done." : "The model ended without an answer.";
  if (job.stopped) return "Stopped.";
  if (!job.accepted) return "The box cannot be reached. Ask again later.";
  return "The connection to the box broke. What came so far is kept.";
}

function closeOutput() {
  job.over = true;
  job.whole ||= Boolean(job.finish);
  const good = job.whole && !job.fault;
  say(endingText(), good || job.stopped ? "" : "bad");
  if (job.accepted) showEnd(good);
  page.ask.disabled = page.goOn.disabled = false;
  // Who stops by mouse is reading further down.
  const button = page.more.hidden ? page.ask : job.button;
  if (document.activeElement === page.stop) button.focus({ preventScroll: true });
  page.stop.hidden = true;
  // After a stream that made no sense the connection is still open.
  job.stopper.abort();
  const { refusal, again, stopped } = job;
  job = null;
  if (refusal && again > now()) countDown(refusal, again);
  else if (!good && !stopped && boxState === "ready") watchBox();
}

function showEnd(good) {
  showSummary();
  const answer = good && boxed(job.answer);
  page.boxed.textContent = answer ? `Answer: ${answer}` : "";
  if (good && job.result) showTally(verdict(job.result));
  const cut = job.finish === "length" || !good;
  if (cut) page.mark.textContent = job.stopped ? "Stopped" : "Not finished";
  page.figures.textContent = figures();
  if (!good || !job.answer || !job.result) return;
  const turns = [...job.turns, { role: "assistant", content: job.answer }];
  talk = { job: job.result.job, request: job.request, turns };
  page.more.hidden = false;
}

/** Returns tokens and speed as this page saw them, first piece to last. */
function figures() {
  // The first token's time went into reading the question.
  const span = job.lastPiece - job.firstPiece;
  const speed = ((job.tokens - 1) * SECOND_MS) / span;
  const tokens = job.tokens ? `${counted(job.tokens, "token")} · ` : "";
  // What came all at once tells nothing of the speed.
  const rate = speed > 0 && span >= MEASURED_FROM_MS ? `${speed.toFixed(1)} tokens/s · ` : "";
  return `${tokens}${rate}${since(job.asked)} in all`;
}

// Hands.

function takeKey(event) {
  // An Enter that ends composing a word (Chinese, Japanese) does not ask.
  if (event.key !== "Enter" || event.isComposing || event.shiftKey) return;
  // A touch keyboard has no Shift+Enter, an attempt many lines: there Enter starts a new one.
  const touch = matchMedia("(hover: none) and (pointer: coarse)").matches;
  if (event.ctrlKey || event.metaKey || (event.target !== page.attempt && !touch)) {
    event.preventDefault();
    event.target.form.requestSubmit();
  }
}

function start() {
  for (const element of document.querySelectorAll("[id]")) page[element.id] = element;
  for (const [form, submit] of [[page.form, ask], [page.more, goOn]]) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      submit();
    });
  }
  for (const field of [page.question, page.attempt, page.next]) {
    field.addEventListener("keydown", takeKey);
  }
  page.stop.addEventListener("click", stop);
  page.mode.addEventListener("change", () => {
    remember(page.mode.value);
    showMode();
  });
  page.thinking.addEventListener("toggle", () => {
    if (job && !job.answer) page.thoughts.scrollTop = page.thoughts.scrollHeight;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.isComposing) stop();
  });
  watchBox();
}

// Tests import this file where there is no page.
if (typeof document !== "undefined") start();
