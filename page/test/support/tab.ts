// A browser tab whose clock, visibility and network a test sets.

import type { Surroundings } from "../../src/jobs/surroundings.ts";

interface Timer { at: number; run: () => void }

export class Tab implements Surroundings {
  hidden = false;
  #now = 1_000;
  #timers = new Set<Timer>();
  #watchers = new Set<(change: "hidden" | "shown" | "online") => void>();

  now = () => this.#now;

  after = (ms: number, run: () => void) => {
    const timer = { at: this.#now + ms, run };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  };

  isHidden = () => this.hidden;

  watch = (changed: (change: "hidden" | "shown" | "online") => void) => {
    this.#watchers.add(changed);
    return () => void this.#watchers.delete(changed);
  };

  get timers(): number {
    return this.#timers.size;
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  /** Lets time pass, and runs what is due, in order. */
  pass(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const due = [...this.#timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#timers.delete(due);
      this.#now = Math.max(this.#now, due.at);
      due.run();
    }
    this.#now = until;
  }

  hide(): void {
    this.hidden = true;
    this.#tell("hidden");
  }

  show(): void {
    this.hidden = false;
    this.#tell("shown");
  }

  online(): void {
    this.#tell("online");
  }

  #tell(change: "hidden" | "shown" | "online"): void {
    for (const watcher of [...this.#watchers]) watcher(change);
  }
}

const PATIENCE_MS = 5_000;

/** Waits until something is so; what it is about is in the error where it never is. */
export async function until(what: string, isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error(`never so: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
