// When a kiosk is left alone: after some idle minutes it warns, and after the warning the next
// person starts, unless somebody says that they are still there. A question that is being answered
// puts that off: its minutes count from its end. Pure but for what it is given; kiosk.tsx feeds it.

import { signal } from "@preact/signals";

/** What there is to clear. `busy`: a question is being answered, or the box cannot say. */
export type Traces = "none" | "some" | "busy";

export type Stage = "calm" | "warning" | "leaving";

export interface IdleSettings {
  idleMs: number;
  /** Milliseconds of the wall clock, because other clocks stand still while a device sleeps. */
  now(): number;
  look(): Promise<Traces>;
  /** Clears the page for the next person. */
  leave(): void;
}

export const WARNING_MS = 20_000;
/** How often a question that is being answered is looked at. */
const BUSY_LOOK_MS = 10_000;

export class Idle {
  readonly stage = signal<Stage>("calm");
  /** Seconds of the warning that are left. */
  readonly leftS = signal(0);
  readonly #settings: IdleSettings;
  /** Since when nobody has touched anything and nothing has been answered. */
  #quietSince: number;
  #warnMs = WARNING_MS;
  #warnUntil = 0;
  #isBusy = false;
  #isLooking = false;
  #lookedAt = -Infinity;

  constructor(settings: IdleSettings) {
    this.#settings = settings;
    this.#quietSince = settings.now();
  }

  /** Notes that somebody touched the kiosk; a warning has to be answered. */
  touch(): void {
    if (this.stage.peek() === "calm") this.#quietSince = this.#settings.now();
  }

  /** Somebody answers the warning. */
  stay(): void {
    if (this.stage.peek() !== "warning") return;
    this.stage.value = "calm";
    this.#quietSince = this.#settings.now();
  }

  /** Warns now, because somebody says that they are done. */
  warn(): void {
    if (this.stage.peek() !== "calm") return;
    this.stage.value = "warning";
    this.hold(WARNING_MS);
  }

  /** Gives the warning at least so much time from now. */
  hold(ms: number): void {
    this.#warnMs = ms;
    this.#warnUntil = this.#settings.now() + ms;
    this.#countDown();
  }

  leaveNow(): void {
    if (this.stage.peek() === "leaving") return;
    this.stage.value = "leaving";
    this.#settings.leave();
  }

  /** Has to be called about every second. */
  tick(): void {
    const now = this.#settings.now();
    // A clock that was set back must not keep the kiosk for the last person.
    if (now < this.#quietSince) this.#quietSince = now;
    if (this.stage.peek() === "warning") {
      this.#countDown();
      if (this.leftS.peek() === 0) this.leaveNow();
    } else if (this.stage.peek() === "calm" && !this.#isLooking && this.#isDue(now)) {
      void this.#look();
    }
  }

  #isDue(now: number): boolean {
    return this.#isIdle(now) || (this.#isBusy && now - this.#lookedAt >= BUSY_LOOK_MS);
  }

  #isIdle(now: number): boolean {
    return now - this.#quietSince >= this.#settings.idleMs;
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    const traces = await this.#settings.look().catch((): Traces => "busy");
    this.#isLooking = false;
    if (this.stage.peek() !== "calm") return;
    const now = this.#settings.now();
    this.#lookedAt = now;
    const hasEnded = this.#isBusy && traces === "some";
    this.#isBusy = traces === "busy";
    if (this.#isBusy || hasEnded || traces === "none") this.#quietSince = now;
    // Somebody may have come while it looked.
    else if (this.#isIdle(now)) this.warn();
  }

  #countDown(): void {
    const left = this.#warnUntil - this.#settings.now();
    // A clock that was set back must not make the warning longer than the time given to it.
    const most = Math.min(left, this.#warnMs);
    this.leftS.value = Math.max(0, Math.ceil(most / 1_000));
  }
}
