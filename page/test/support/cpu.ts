// The processor's time that this process has taken: unlike the time on a clock, it does not depend
// on what else the machine does.

/** Returns the time so far in milliseconds. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
