// What following a job depends on besides the box: the clock, whether the page is seen, whether
// the network came back. In one place, so that tests can be a clock and a tab themselves.

export interface Surroundings {
  /** Milliseconds since the page was opened. */
  now(): number;
  /** Runs something after a time; returns how to prevent it. */
  after(ms: number, run: () => void): () => void;
  isHidden(): boolean;
  /** Calls back when the page is hidden, is shown again, or the network is back; returns how to
      end that. */
  watch(changed: (change: "hidden" | "shown" | "online") => void): () => void;
}

export const browser: Surroundings = {
  now: () => performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  isHidden: () => document.hidden,
  watch: (changed) => {
    const seen = () => changed(document.hidden ? "hidden" : "shown");
    const online = () => changed("online");
    document.addEventListener("visibilitychange", seen);
    addEventListener("online", online);
    return () => {
      document.removeEventListener("visibilitychange", seen);
      removeEventListener("online", online);
    };
  },
};
