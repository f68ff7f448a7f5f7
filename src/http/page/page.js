// What the page does: asks one question at a time over the OpenAI-shaped API and shows thinking and
// answer as they come. A module, so nothing leaks into the window. Deliberately not here: Markdown,
// formulas (the model's text only ever becomes text nodes), history, going on after a reload.

const SECOND_MS = 1000;
/** Shortest answer whose speed is shown. */
const MEASURED_FROM_MS = 200;
/** Three heartbeats missed: the box may be gone. */
const SILENCE_MS = 45 * SECOND_MS;
/** So near its end a reader counts as reading along. */
const END_PX = 40;
/** Text in one block before the next line starts another. */
const BLOCK_CHARS = 1000;
const FAULT = "The box has a fault. Please tell the person who looks after it.";

/** The page's elements by their id. */
const page = {};
let modes = [];
let boxState = "";
/** The question being answered, if one is. */
let job = null;

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
  const attempt = chosenMode()?.student_attempt ? page.attempt.value.trim() : undefined;
  if (!content) return missing(page.question, "Type a question first.");
  if (attempt === "") {
    return missing(page.attempt, "Write your own attempt first: this mode reads it.");
  }
  return {
    model: chosenMode()?.id ?? "solverbox",
    messages: [{ role: "user", content }],
    attempt_of_student: attempt,
    stream: true,
    stream_options: { include_usage: true },
  };
}

function missing(field, text) {
  say(text, "bad");
  field.focus();
}

async function ask() {
  if (job) return;
  const request = readForm();
  if (!request) return;
  const asked = now();
  const stopper = new AbortController();
  job = { stopper, asked, heard: asked, thinking: "", words: 0, counted: 0, answer: "" };
  openOutput(request.messages[0].content);
  const ticking = setInterval(showProgress, SECOND_MS);
  try {
    const response = await fetch("/v1/chat/completions", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(request),
      signal: stopper.signal,
    });
    if (response.ok) await readAnswer(response.body.getReader());
    else await readRefusal(response);
  } catch {
    // Stopped or broken: endingText tells which from what came.
  }
  clearInterval(ticking);
  closeOutput();
}

/** Stops the job: the box ends it within one step when the connection goes. */
function stop() {
  if (!job) return;
  job.stopped = true;
  job.stopper.abort();
}

async function readAnswer(reader) {
  job.accepted = true;
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
  if (text === "running") job.running = true;
}

function takeChunk(data) {
  if (data === "[DONE]") {
    job.whole = true;
    return;
  }
  const { error, usage, choices } = JSON.parse(data);
  if (error) job.fault = error;
  if (usage) job.tokens = usage.completion_tokens;
  const { delta, finish_reason: finish } = choices?.[0] ?? {};
  if (finish) job.finish = finish;
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
  page.elapsed.textContent = "";
  // For those who wait in another tab.
  document.title = `${text} – solverbox`;
}

function openOutput(question) {
  for (const place of [page.boxed, page.answer, page.mark, page.figures, page.thoughts]) {
    place.textContent = "";
  }
  page.asked.textContent = question;
  page.answer.className = "";
  page.thinking.open = false;
  page.output.hidden = false;
  page.stop.hidden = false;
  // A disabled button loses the focus.
  if (document.activeElement === page.ask) page.stop.focus({ preventScroll: true });
  page.ask.disabled = true;
  showProgress();
  page.output.scrollIntoView({ block: "nearest" });
}

/** Says where the question is on its way, and lets the seconds pass. */
function showProgress() {
  const silent = now() - job.heard > SILENCE_MS;
  say(silent ? "Nothing comes from the box any more." : progressText(), silent ? "bad" : "");
  page.elapsed.textContent = since(job.asked);
  showSummary();
  // Programs need their columns; until Markdown is shown, the whole answer gets them.
  if (job.answer.includes("```")) page.answer.className = "code";
}

function progressText() {
  if (job.answer) return "Answering …";
  if (job.thinking) return "Thinking …";
  if (job.running) return "Reading your question …";
  if (boxState === "loading") return "In line until the model is loaded …";
  if (job.place > 0) return `In line: ${counted(job.place, "question")} before yours …`;
  return job.place === 0 ? "In line: yours is next …" : "Asking …";
}

function showSummary() {
  page.thinking.hidden = !job.thinking;
  // Counts on from where it was: a kiosk's page shares its processor with the model.
  job.words += ` ${job.thinking}`.slice(job.counted).match(/\s\S/g)?.length ?? 0;
  job.counted = job.thinking.length;
  const words = counted(job.words, "word");
  const going = !job.answer && !job.over;
  const time = since(job.firstPiece, going ? undefined : job.thought);
  page.summary.textContent = `Thinking${going ? " …" : ""} (${words}, ${time})`;
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
  showSummary();
  page.output.hidden = !job.accepted;
  const answer = good && boxed(job.answer);
  page.boxed.textContent = answer ? `Answer: ${answer}` : "";
  const cut = job.finish === "length" || !good;
  if (cut) page.mark.textContent = job.stopped ? "Stopped" : "Not finished";
  page.figures.textContent = figures();
  page.ask.disabled = false;
  // Who stops by mouse is reading further down.
  if (document.activeElement === page.stop) page.ask.focus({ preventScroll: true });
  page.stop.hidden = true;
  // After a stream that made no sense the connection is still open.
  job.stopper.abort();
  const { refusal, again, stopped } = job;
  job = null;
  if (refusal && again > now()) countDown(refusal, again);
  else if (!good && !stopped && boxState === "ready") watchBox();
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
  if (event.ctrlKey || event.metaKey || (event.target === page.question && !touch)) {
    event.preventDefault();
    ask();
  }
}

function start() {
  for (const element of document.querySelectorAll("[id]")) page[element.id] = element;
  page.form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
  for (const field of [page.question, page.attempt]) field.addEventListener("keydown", takeKey);
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
