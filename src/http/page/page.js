// The page's behaviour: asks one question at a time over the OpenAI-shaped API of the box that served
// it, and shows thinking and answer as they come. Runs as a module, so nothing leaks into the window.
// Deliberately not here: Markdown and formulas (text from the model only ever becomes text nodes),
// history, taking up an answer again after a reload.

/** Pause between two looks at a box that is not ready, in milliseconds. */
const LOOK_EVERY_MS = 1000;
/** Silence after which the box may be gone, in milliseconds: three missed heartbeats. */
const SILENCE_MS = 45000;
/** How far from its end, in pixels, a reader still counts as reading along. */
const END_SLACK_PX = 40;
/** Errors that are no pupil's business; the box's log has their details. */
const FAULTS = ["internal", "no_model", "bad_model"];
const FAULT_TEXT =
  "The box has a fault and cannot answer. Please tell the person who looks after it.";

const element = (id) => document.getElementById(id);

let modes = [];
let boxReady = false;
let boxWatched = false;
/** The question being answered; null between questions. */
let job = null;

// --- What comes over the line ---

/**
 * Makes a reader of server-sent events. Feed it bytes cut anywhere, even inside a character or
 * between CR and LF; it hands on each event's data and each comment, whole.
 */
export function eventReader(onData, onComment) {
  const decoder = new TextDecoder();
  let rest = "";
  let data = [];
  return function feed(bytes) {
    rest += decoder.decode(bytes, { stream: true });
    // A CR that ends the text may be half of a CRLF: it waits for what follows.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (data.length > 0) onData(data.join("\n"));
        data = [];
      } else if (line.startsWith(":")) {
        onComment(line.slice(1).trim());
      } else if (line.startsWith("data:")) {
        data.push(line.slice(line[5] === " " ? 6 : 5));
      }
    }
  };
}

/** Returns the content of the last complete \boxed{…}, or "": the same rule as words/answer.rs. */
export function boxed(text) {
  const open = "\\boxed{";
  for (let at = text.lastIndexOf(open); at >= 0; at = text.lastIndexOf(open, at - 1)) {
    const start = at + open.length;
    for (let i = start, depth = 1; i < text.length; i++) {
      if (text[i] === "\\") i++;
      else if (text[i] === "{") depth++;
      else if (text[i] === "}" && --depth === 0) return text.slice(start, i).trim();
    }
    // lastIndexOf takes -1 for 0 and would find the same box for ever.
    if (at === 0) break;
  }
  return "";
}

/** Adds the words of the next piece to a tally; a word cut in two by the pieces counts once. */
export function countWords(tally, piece) {
  if (piece === "") return;
  const words = piece.match(/\S+/g) ?? [];
  tally.words += words.length - (tally.open && /^\S/.test(piece) ? 1 : 0);
  tally.open = /\S$/.test(piece);
}

/** Returns a number of seconds as a person says it. */
export function duration(seconds) {
  const whole = Math.round(seconds);
  return whole < 100 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

const counted = (n, one) => `${n} ${one}${n === 1 ? "" : "s"}`;
const secondsSince = (ms) => (performance.now() - ms) / 1000;

// --- The box: loading, ready, gone ---

async function watchBox() {
  if (boxWatched) return;
  boxWatched = true;
  while (!(await lookAtBox())) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  boxWatched = false;
}

/** Shows how the box stands; returns whether it is ready and nothing is left to watch for. */
async function lookAtBox() {
  let health = { state: "gone" };
  try {
    health = await (await fetch("/healthz", { cache: "no-store" })).json();
    if (modes.length === 0) await loadModes();
  } catch {
    // Not reachable, or not our box: both mean waiting.
  }
  const wasReady = boxReady;
  boxReady = health.state === "ready";
  showBox(health, wasReady);
  if (job && boxReady !== wasReady) showProgress();
  return boxReady && modes.length > 0;
}

function showBox({ state, bytes_loaded: loaded, bytes_total: total }, wasReady) {
  const texts = {
    loading: "The model is loading. You can ask already: your question waits in line.",
    failed: FAULT_TEXT,
    gone: "The box does not answer. Trying again …",
    // Said only to those who saw it loading.
    ready: wasReady || element("box-state").textContent === "" ? "" : "The model is ready.",
  };
  const text = texts[state] ?? "";
  const line = element("box-state");
  // A live region is read aloud each time it is set, so only changes are.
  if (line.textContent !== text) line.textContent = text;
  element("box").classList.toggle("bad", state === "failed" || state === "gone");
  element("box-loading").hidden = state !== "loading";
  if (state === "loading" && total > 0) {
    element("box-progress").max = total;
    element("box-progress").value = loaded;
    element("box-percent").textContent = `${Math.floor((100 * loaded) / total)} %`;
  }
}

// --- Modes ---

async function loadModes() {
  const list = await (await fetch("/v1/models")).json();
  modes = list.data.filter((model) => model.id.includes(":"));
  const wanted = remembered() ?? modes.find((mode) => mode.default)?.id;
  for (const mode of modes) {
    const name = mode.id.slice(mode.id.indexOf(":") + 1);
    const label = name.charAt(0).toUpperCase() + name.slice(1);
    element("mode").append(new Option(label, mode.id, false, mode.id === wanted));
  }
  element("mode-row").hidden = modes.length === 0;
  showMode();
}

const chosenMode = () => modes.find((mode) => mode.id === element("mode").value);

function showMode() {
  element("about").textContent = chosenMode()?.about ?? "";
  element("attempt-row").hidden = !chosenMode()?.student_attempt;
}

// Storage may be switched off on a kiosk; then the mode is simply not remembered.
function remembered() {
  try {
    const id = localStorage.getItem("mode");
    return modes.some((mode) => mode.id === id) ? id : null;
  } catch {
    return null;
  }
}

function remember(id) {
  try {
    localStorage.setItem("mode", id);
  } catch {
    // See above.
  }
}

// --- Asking ---

/** Returns the request the form describes, or null after saying what is missing. */
function readForm() {
  const request = {
    model: chosenMode()?.id ?? "solverbox",
    messages: [{ role: "user", content: element("question").value.trim() }],
    stream: true,
    stream_options: { include_usage: true },
  };
  if (request.messages[0].content === "") return missing("question", "Type a question first.");
  if (chosenMode()?.student_attempt) {
    request.attempt_of_student = element("attempt").value.trim();
    if (request.attempt_of_student === "") {
      return missing("attempt", "Write down your own attempt first: this mode reads it.");
    }
  }
  return request;
}

function missing(field, text) {
  say(text, "bad");
  element(field).focus();
  return null;
}

async function ask() {
  if (job) return say("One question at a time: stop this one first.");
  const request = readForm();
  if (!request) return;
  job = {
    stopper: new AbortController(),
    asked: performance.now(),
    heard: performance.now(),
    place: null,
    running: false,
    thinking: { text: "", gained: "", words: 0, open: false, from: 0, seconds: 0 },
    answer: { text: "", gained: "" },
    firstPiece: 0,
    lastPiece: 0,
  };
  openOutput(request.messages[0].content);
  const ticking = setInterval(showProgress, 1000);
  try {
    const response = await fetch("/v1/chat/completions", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(request),
      signal: job.stopper.signal,
    });
    if (response.ok) await readAnswer(response.body.getReader());
    else job.refusal = await readRefusal(response);
  } catch {
    // Stopped or broken; closeJob tells which from what came.
  }
  clearInterval(ticking);
  closeJob();
}

function stop() {
  if (!job) return;
  job.stopped = true;
  // The box stops within one step when the connection goes.
  job.stopper.abort();
}

async function readAnswer(reader) {
  job.accepted = true;
  const feed = eventReader(takeChunk, takeComment);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    job.heard = performance.now();
    feed(value);
    // Once a read, however many events it held: measuring the page for scrolling is dear.
    showGained();
    showProgress();
  }
}

function takeComment(text) {
  const place = /^place (\d+)$/.exec(text);
  if (place) job.place = Number(place[1]);
  if (text === "running") job.running = true;
}

function takeChunk(data) {
  if (data === "[DONE]") {
    job.complete = true;
    return;
  }
  const chunk = JSON.parse(data);
  if (chunk.error) job.fault = chunk.error;
  if (chunk.usage) job.usage = chunk.usage;
  const choice = chunk.choices?.[0];
  if (choice?.finish_reason) job.finish = choice.finish_reason;
  const { reasoning_content: thinking = "", content: answer = "" } = choice?.delta ?? {};
  if (thinking || answer) {
    job.running = true;
    job.lastPiece = performance.now();
    job.firstPiece ||= job.lastPiece;
    job.thinking.gained += thinking ?? "";
    job.answer.gained += answer ?? "";
  }
}

/** Returns why the box did not take the question, as a text and the seconds to wait. */
async function readRefusal(response) {
  const body = await response.json().catch(() => ({}));
  const wait = Number(response.headers.get("Retry-After")) || 0;
  const text = faultText(body.error);
  return { text: wait ? `${text} Try again in ${duration(wait)}.` : text, wait };
}

function faultText(error) {
  if (!error?.message || FAULTS.includes(error.code)) return FAULT_TEXT;
  const text = error.message.charAt(0).toUpperCase() + error.message.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

// --- Showing ---

/** Says how things stand, aloud for screen readers, and in the title for those in another tab. */
function say(text, kind = "") {
  if (element("state").textContent !== text) element("state").textContent = text;
  element("state").className = kind;
}

function openOutput(question) {
  document.body.toggleAttribute("data-busy", true);
  for (const id of ["boxed", "answer", "ending", "figures", "thinking-text"]) {
    element(id).replaceChildren();
  }
  element("answer").classList.remove("code");
  element("answer").setAttribute("aria-busy", "true");
  element("asked").textContent = question;
  element("thinking").hidden = true;
  element("thinking").open = false;
  element("output").hidden = false;
  element("stop").hidden = false;
  // A disabled button loses the focus; those who came by keyboard find it on Stop.
  if (document.activeElement === element("ask")) element("stop").focus({ preventScroll: true });
  element("ask").disabled = true;
  showProgress();
  element("output").scrollIntoView({ block: "nearest" });
}

/** Says where the question is on its way, and lets the seconds pass. */
function showProgress() {
  const silent = performance.now() - job.heard > SILENCE_MS;
  if (silent) say("Nothing comes from the box any more. It may be gone.", "bad");
  else say(progressText());
  element("elapsed").textContent = duration(secondsSince(job.asked));
  showThinkingSummary();
}

function progressText() {
  if (job.answer.text) return "Answering …";
  if (job.thinking.text) return "Thinking …";
  if (job.running) return "Reading your question …";
  if (!boxReady) return "In line until the model is loaded …";
  if (job.place > 0) {
    return `In line: ${counted(job.place, "question")} before yours …`;
  }
  return job.place === 0 ? "In line: yours is next …" : "Asking …";
}

function showThinkingSummary() {
  const { text, words, from, seconds } = job.thinking;
  if (text === "") return;
  const going = !job.answer.text && !job.closed;
  const passed = duration(going ? secondsSince(from) : seconds);
  element("thinking-summary").textContent = going
    ? `Thinking … (${counted(words, "word")}, ${passed})`
    : `Thinking (${counted(words, "word")}, ${passed})`;
}

/** Puts on the page what was gained since the last time; follows it only where the reader does. */
function showGained() {
  const page = document.documentElement;
  const box = element("thinking-text");
  const followPage = atEnd(page);
  const followThinking = atEnd(box);
  const { thinking, answer } = job;
  if (thinking.gained) {
    countWords(thinking, thinking.gained);
    if (!thinking.text) thinking.from = job.firstPiece;
    if (append(box, thinking)) element("thinking").hidden = false;
    thinking.seconds = (job.lastPiece - thinking.from) / 1000;
  }
  if (answer.gained) {
    append(element("answer"), answer);
    // Programs need their columns; until Markdown is shown, the whole answer gets them.
    if (answer.text.includes("```")) element("answer").classList.add("code");
  }
  if (followThinking) box.scrollTop = box.scrollHeight;
  if (followPage) page.scrollTop = page.scrollHeight;
}

/** Moves gained text into the place; returns whether any is there. White space never comes first. */
function append(place, part) {
  const piece = part.text ? part.gained : part.gained.trimStart();
  part.gained = "";
  part.text += piece;
  // One text node that grows: setting the whole text anew would lose the reader's selection.
  if (place.firstChild) place.firstChild.appendData(piece);
  else if (piece) place.append(piece);
  return part.text !== "";
}

const atEnd = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < END_SLACK_PX;

// --- Ending ---

/** Returns how the job ended: a line for the state, and a mark under the text where it is not whole. */
function ending() {
  if (job.refusal) return { line: job.refusal.text, bad: true };
  if (job.fault) return { line: faultText(job.fault), mark: "Ended early", bad: true };
  if (job.complete || job.finish) {
    if (job.finish === "length") {
      const line = "Cut off: this is as long as an answer may get.";
      return { line, mark: "Not finished" };
    }
    return { line: job.answer.text ? "Done." : "Done, but the model gave no answer." };
  }
  if (job.stopped) return { line: "Stopped.", mark: "Stopped" };
  if (!job.accepted) {
    return { line: "The box cannot be reached. Your question is still here: ask again.", bad: true };
  }
  const kept = job.answer.text || job.thinking.text ? " What came so far is kept." : "";
  return { line: `The connection to the box broke.${kept}`, mark: "Connection broken", bad: true };
}

function closeJob() {
  job.closed = true;
  const { line, mark, bad } = ending();
  const whole = job.complete || job.finish;
  say(line, bad ? "bad" : "");
  showThinkingSummary();
  element("output").hidden = Boolean(job.refusal) || !job.accepted;
  element("ending").textContent = mark ?? "";
  const result = whole ? boxed(job.answer.text) : "";
  element("boxed").textContent = result ? `Answer: ${result}` : "";
  element("figures").textContent = figures();
  element("elapsed").textContent = "";
  element("answer").removeAttribute("aria-busy");
  document.body.removeAttribute("data-busy");
  element("ask").disabled = false;
  // Without scrolling: who stops with the mouse is reading further down.
  if (document.activeElement === element("stop")) element("ask").focus({ preventScroll: true });
  element("stop").hidden = true;
  const wait = job.refusal?.wait;
  if (wait) setTimeout(() => sayTryAgain(line), wait * 1000);
  const lost = bad && !job.refusal;
  // Frees the connection where the stream made no sense; elsewhere it is closed already.
  job.stopper.abort();
  job = null;
  if (lost) watchBox();
}

function sayTryAgain(refusal) {
  if (!job && element("state").textContent === refusal) say("You can ask again now.");
}

/** Returns tokens and speed as this page saw them, first piece to last. */
function figures() {
  const parts = [];
  const tokens = job.usage?.completion_tokens;
  const seconds = (job.lastPiece - job.firstPiece) / 1000;
  if (tokens) parts.push(counted(tokens, "token"));
  // The first token's time went into reading the question.
  if (tokens > 1 && seconds > 0.1) parts.push(`${((tokens - 1) / seconds).toFixed(1)} tokens/s`);
  if (job.accepted) parts.push(`${duration(secondsSince(job.asked))} in all`);
  return parts.join(" · ");
}

// --- Hands ---

/** Enter asks, but not while a word is being composed (Chinese, Japanese), nor on a touch keyboard. */
function takeKey(event) {
  if (event.key !== "Enter" || event.isComposing || event.shiftKey) return;
  const touch = matchMedia("(hover: none) and (pointer: coarse)").matches;
  // A written attempt has many lines: there Enter is a new line, and Ctrl+Enter asks.
  const plain = event.target === element("question") && !touch;
  if (event.ctrlKey || event.metaKey || plain) {
    event.preventDefault();
    ask();
  }
}

function start() {
  element("form").addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
  element("form").addEventListener("keydown", (event) => {
    if (event.target instanceof HTMLTextAreaElement) takeKey(event);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.isComposing) stop();
  });
  element("stop").addEventListener("click", stop);
  element("mode").addEventListener("change", () => {
    remember(element("mode").value);
    showMode();
  });
  watchBox();
}

// The tests import this file where there is no page.
if (typeof document !== "undefined") start();
