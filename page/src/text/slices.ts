// Does work in slices, so that the page stays responsive while a long text is rendered: tasks run
// in their order until a slice is used up, then the browser draws what is there.

/** Milliseconds after which no further task begins. */
const SLICE_MS = 6;
/** Longest wait for the browser to draw; a hidden tab never does. */
const FRAME_MS = 50;

const tasks: (() => void)[] = [];
let isRunning = false;
let channel: MessageChannel | null = null;

export function isOver(sliceStart: number): boolean {
  return performance.now() - sliceStart > SLICE_MS;
}

/** Runs a task soon, after those that were given before. */
export function runSoon(task: () => void): void {
  tasks.push(task);
  if (isRunning) return;
  isRunning = true;
  post();
}

/** Runs the next slice as a task of its own, without the delay of a timer. */
function post(): void {
  if (!channel) {
    channel = new MessageChannel();
    channel.port1.onmessage = runSlice;
  }
  channel.port2.postMessage(null);
}

function runSlice(): void {
  const start = performance.now();
  try {
    while (tasks.length > 0 && !isOver(start)) tasks.shift()?.();
  } finally {
    // Also after a task that failed: the others must not wait for ever.
    isRunning = tasks.length > 0;
    if (isRunning) afterFrame(post);
  }
}

/** Without a frame in between, several slices would be laid out and drawn in one long task. */
function afterFrame(then: () => void): void {
  const frame = requestAnimationFrame(() => {
    clearTimeout(timer);
    then();
  });
  const timer = setTimeout(() => {
    cancelAnimationFrame(frame);
    then();
  }, FRAME_MS);
}
