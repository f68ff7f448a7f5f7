// How much the box was used in the last two weeks, by hour and mode: as a chart, and as a table
// with the same figures.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { type UsageEntry, getUsage } from "../../../api/owner.ts";
import { languageTag } from "../../../strings/index.ts";
import { modeWords } from "../../ask/mode-words.ts";
import { Failure } from "../../failure.tsx";
import { later } from "../../later.tsx";
import { useFollowed } from "./follow.ts";
import { busiestDay, modesOf, rowsOf } from "./usage-data.ts";
import { w } from "./words.ts";

const DAYS = 14;
const REFRESH_MS = 300_000;

const Chart = later(() => import("./chart.tsx").then((part) => part.Chart));
const readUsage = () => getUsage(DAYS).then((entries) => ({ entries }));

export function Usage() {
  const words = w().usage;
  const { value, error, readNow } = useFollowed(readUsage, REFRESH_MS);
  const isTable = useSignal(false);
  useEffect(() => Chart.preload(), []);
  const entries = value.value?.entries;
  const count = entries?.reduce((sum, { jobs }) => sum + jobs, 0) ?? 0;
  return (
    <section class="card usage">
      <h2>{words.title}</h2>
      {error.value && <Failure error={error.value} again={() => void readNow()} />}
      {!value.value && !error.value && <p class="quiet">{words.loading}</p>}
      {entries === null && <p class="quiet">{words.missing}</p>}
      {entries && count === 0 && <p class="quiet">{words.none}</p>}
      {entries && count > 0 && (
        <>
          <p>{words.sum(count, DAYS)}</p>
          {isTable.value
            ? <Table entries={entries} />
            : <Picture entries={entries} count={count} />}
          <button type="button" onClick={() => (isTable.value = !isTable.value)}>
            {isTable.value ? words.asChart : words.asTable}
          </button>
        </>
      )}
    </section>
  );
}

function Picture({ entries, count }: { entries: UsageEntry[]; count: number }) {
  const modes = modesOf(entries);
  const most = busiestDay(entries, (seconds) => new Date(1_000 * seconds).toDateString());
  const day = most ? dayWords(most.at) : "";
  return (
    <>
      <Chart entries={entries} modes={modes} days={DAYS}
        label={w().usage.chart(count, day, most?.jobs ?? 0)} />
      <ul class="legend" aria-hidden="true">
        {modes.map((mode, at) => (
          <li key={mode}><span class={`swatch mode-${at % 6}`} />{modeWords(mode).name}</li>
        ))}
      </ul>
    </>
  );
}

function Table({ entries }: { entries: UsageEntry[] }) {
  const words = w().usage;
  const modes = modesOf(entries);
  return (
    // Scrolls by itself, so that it has to be reached by the keyboard.
    <div class="table-box" role="region" aria-label={words.tableLabel} tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">{words.hour}</th>
            {modes.map((mode) => <th scope="col" key={mode}>{modeWords(mode).name}</th>)}
            <th scope="col">{words.total}</th>
          </tr>
        </thead>
        <tbody>
          {rowsOf(entries, modes).map(({ hour, counts, total }) => (
            <tr key={hour}>
              <th scope="row">{hourWords(hour)}</th>
              {counts.map((count, at) => <td key={modes[at]}>{count || ""}</td>)}
              <td>{total}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function dayWords(seconds: number): string {
  const options = { weekday: "short", month: "short", day: "numeric" } as const;
  return new Intl.DateTimeFormat(languageTag.value, options).format(new Date(1_000 * seconds));
}

function hourWords(seconds: number): string {
  const options = {
    weekday: "short", month: "short", day: "numeric", hour: "numeric", minute: "2-digit",
  } as const;
  return new Intl.DateTimeFormat(languageTag.value, options).format(new Date(1_000 * seconds));
}
