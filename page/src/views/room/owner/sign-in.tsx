// The owner's sign-in. After a wrong PIN the box waits longer each time; the button waits with it.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { type BoxError, asBoxError } from "../../../api/error.ts";
import { signIn } from "../../../api/owner.ts";
import { say } from "../../../state.ts";
import { t } from "../../../strings/index.ts";
import { useCountdown } from "../../countdown.ts";
import { isLoopbackHost } from "../share/addresses.ts";
import { hasExpired, readSession, standing } from "./session.ts";
import { w } from "./words.ts";

const PIN_CHARS_MIN = 6;
const PIN_CHARS_MAX = 64;
/** A longer wait is told in minutes. */
const SECONDS_TOLD_MAX = 100;
const SET_PIN = "solverbox owner set-pin";

export function SignIn() {
  const words = w().signIn;
  const pin = useSignal("");
  const isBusy = useSignal(false);
  const problem = useSignal("");
  const againAt = useSignal<number | null>(null);
  const waitS = useCountdown(againAt.value, () => {
    againAt.value = null;
    say(words.waitOver);
  });
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus({ preventScroll: true }), []);

  const complain = (text: string) => {
    problem.value = text;
    say(text);
    field.current?.focus({ preventScroll: true });
  };
  const send = async () => {
    if (isBusy.peek() || waitS > 0) return;
    const { length } = Array.from(pin.peek());
    if (length < PIN_CHARS_MIN || length > PIN_CHARS_MAX) return complain(words.length);
    [isBusy.value, problem.value] = [true, ""];
    try {
      await signIn(pin.peek());
      [hasExpired.value, standing.value] = [false, "in"];
      return;
    } catch (thrown) {
      const error = asBoxError(thrown);
      againAt.value = error.retryAfterMs === null ? null : performance.now() + error.retryAfterMs;
      pin.value = error.kind === "unauthorized" ? "" : pin.peek();
      complain(wordsOf(error));
    } finally {
      isBusy.value = false;
    }
  };
  return (
    <form class="card sign-in" noValidate onSubmit={(event) => {
      event.preventDefault();
      void send();
    }}>
      <h2>{w().title}</h2>
      {hasExpired.value && <p class="notice">{words.expired}</p>}
      <label for="pin">{words.pin}</label>
      <input id="pin" ref={field} type="password" autocomplete="current-password" value={pin.value}
        aria-describedby="pin-problem pin-note" aria-invalid={problem.value !== ""}
        onInput={(event) => (pin.value = event.currentTarget.value)} />
      <p id="pin-problem" class="bad sign-in-problem">
        {problem.value} {waitS > 0 && waitWords(waitS)}
      </p>
      <button type="submit" class="primary" aria-disabled={isBusy.value || waitS > 0}>
        {isBusy.value ? words.busy : words.button}
      </button>
      {isOpenNetwork() && <p id="pin-note" class="quiet">{words.plain}</p>}
    </form>
  );
}

/** Tells whether the PIN would travel readable through a network. */
function isOpenNetwork(): boolean {
  return location.protocol === "http:" && !isLoopbackHost(location.hostname);
}

function wordsOf(error: BoxError): string {
  const words = w().signIn;
  if (error.kind === "unauthorized") return words.wrong;
  if (error.kind === "too_many") return words.tooSoon;
  const { what, remedy } = t().client.errors[error.kind];
  return t().ask.problem(what, remedy);
}

function waitWords(seconds: number): string {
  const words = w().signIn;
  return seconds > SECONDS_TOLD_MAX ? words.waitLong(Math.ceil(seconds / 60)) : words.wait(seconds);
}

/** Stands in for the sign-in while the box has no PIN. */
export function NoPin() {
  const words = w().signIn;
  return (
    <section class="card sign-in">
      <h2>{w().title}</h2>
      <p>{words.noPin}</p>
      <pre class="command"><code>{SET_PIN}</code></pre>
      <button type="button" class="primary" onClick={() => void readSession().catch(() => {})}>
        {words.look}
      </button>
    </section>
  );
}
