// The chart of the usage, drawn by uPlot on a canvas: bars for each hour, the modes on top of each
// other. The only part that loads uPlot. A picture for the eye; the table has the same figures.

import { useEffect, useMemo, useRef } from "preact/hooks";
import UPlot from "uplot";
import type { UsageEntry } from "../../../api/owner.ts";
import { languageTag } from "../../../strings/index.ts";
import { stackOf } from "./usage-data.ts";
import { w } from "./words.ts";

const HEIGHT_PX = 240;
/** Below this an hour has no two pixels. */
const WIDTH_PX_MIN = 720;
const HOUR_S = 3_600;
/** Colours of modes; more modes begin again. */
const COLOURS = 6;
/** Share of an hour's width that its bar has, and the widest bar in pixels. */
const BAR_SIZE: [number, number] = [1, 24];
/** Room above the highest bar. */
const HEADROOM = 1.05;

interface ChartProps { entries: UsageEntry[]; modes: string[]; days: number; label: string }

export function Chart({ entries, modes, days, label }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const stack = useMemo(() => stackOf(entries, modes, days, Date.now() / 1_000), [entries]);
  const language = languageTag.value;
  const axis = w().usage.axis;
  useEffect(() => {
    const { current: element } = place;
    if (!element) return undefined;
    let plot = draw();
    function draw() {
      const { hours, tops } = stack;
      // The highest first, so that each is seen above those it stands on.
      const data: UPlot.AlignedData = [hours, ...[...tops].reverse()];
      return new UPlot(optionsOf(element as HTMLElement, modes.length, axis, language), data,
        element as HTMLElement);
    }
    // The latest hours are at the right.
    const box = element.parentElement as HTMLElement;
    box.scrollLeft = box.scrollWidth;
    const redraw = () => {
      plot.destroy();
      plot = draw();
    };
    // The colours are drawn, not styled.
    const dark = matchMedia("(prefers-color-scheme: dark)");
    // Safari 13 and older name it otherwise, and are not supported.
    dark.addEventListener("change", redraw);
    const resize = () => plot.setSize({ width: widthOf(element), height: HEIGHT_PX });
    addEventListener("resize", resize);
    return () => {
      dark.removeEventListener("change", redraw);
      removeEventListener("resize", resize);
      plot.destroy();
    };
  }, [stack, language]);
  return (
    // It scrolls where it is wider than the page, so that it has to be reached by the keyboard.
    <div class="chart-box" role="region" aria-label={axis} tabIndex={0}>
      <div class="chart" ref={place} role="img" aria-label={label} />
    </div>
  );
}

function widthOf(element: HTMLElement): number {
  return Math.max(WIDTH_PX_MIN, element.parentElement?.clientWidth ?? 0);
}

function optionsOf(
  element: HTMLElement, modes: number, axis: string, language: string,
): UPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const font = `${style.fontSize} ${style.fontFamily}`;
  const day = new Intl.DateTimeFormat(language, { month: "numeric", day: "numeric" });
  const bars = UPlot.paths.bars?.({ size: BAR_SIZE, align: 1 });
  const lines = { stroke: colour("--ink"), font, grid: { stroke: colour("--faint"), width: 1 } };
  const series = Array.from({ length: modes }, (_, at): UPlot.Series => ({
    fill: colour(`--mode-${(modes - 1 - at) % COLOURS}`),
    width: 0,
    points: { show: false },
    ...(bars ? { paths: bars } : {}),
  }));
  return {
    width: widthOf(element),
    height: HEIGHT_PX,
    legend: { show: false },
    cursor: { show: false },
    scales: {
      // The last bar begins with its hour and has to be seen, too.
      x: { range: (_, min, max) => [min, max + HOUR_S] },
      y: { range: (_, __, max) => [0, Math.max(4, HEADROOM * max)] },
    },
    axes: [
      { ...lines, space: 56, values: (_, times) => times.map((at) => day.format(1_000 * at)),
        incrs: [1, 2, 7].map((days) => days * 86_400) },
      { ...lines, label: axis, labelFont: font, size: 48,
        // A part of a question was never asked.
        incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000] },
    ],
    series: [{}, ...series],
  };
}
