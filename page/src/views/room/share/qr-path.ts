// The dark squares of a QR code as the path of an SVG, a rectangle for each run of them. Pure;
// qr.tsx draws it.

/** Light modules around a code, which scanners need (ISO/IEC 18004, 4 modules). */
export const QUIET_ZONE = 4;

/** Returns the path of a code whose first module is at `(QUIET_ZONE, QUIET_ZONE)`. */
export function pathOf(modules: readonly (readonly boolean[])[]): string {
  const runs: string[] = [];
  modules.forEach((row, y) => {
    for (let x = 0; x < row.length; x++) {
      if (!row[x]) continue;
      const start = x;
      while (row[x + 1]) x += 1;
      const length = x - start + 1;
      runs.push(`M${QUIET_ZONE + start} ${QUIET_ZONE + y}h${length}v1h-${length}z`);
    }
  });
  return runs.join("");
}
