// How the box is: model, state, work, speed, heat, memory. Read again every few seconds while it is
// seen.

import type { ComponentChildren } from "preact";
import { type BoxFigures, getFigures } from "../../../api/owner.ts";
import { languageTag } from "../../../strings/index.ts";
import { Failure } from "../../failure.tsx";
import { fullTime } from "../../history/when.ts";
import { useFollowed } from "./follow.ts";
import { w } from "./words.ts";

const REFRESH_MS = 3_000;
/** From here on boards slow themselves down. */
const HOT_CELSIUS = 80;
const MB = 1e6;
const GB = 1e9;

export function Figures() {
  const words = w().figures;
  const { value, error } = useFollowed(getFigures, REFRESH_MS);
  const box = value.value;
  return (
    <section class="card figures">
      <h2>{words.title}</h2>
      {error.value && <Failure error={error.value} />}
      {!box && !error.value && <p class="quiet">{w().loading}</p>}
      {box && <List box={box} />}
    </section>
  );
}

function List({ box }: { box: BoxFigures }) {
  const words = w().figures;
  const { model, queue, temperature_celsius: celsius } = box;
  const number = (value: number, digits = 0) =>
    value.toLocaleString(languageTag.value, { maximumFractionDigits: digits });
  const isHot = celsius !== null && celsius >= HOT_CELSIUS;
  const size = model.bytes >= GB
    ? words.size(number(model.bytes / GB, 1)) : words.sizeMb(number(model.bytes / MB));
  const { resident_mib: used } = box.memory;
  const planned = number(box.plan.memory_mib);
  return (
    <dl>
      <Row name={words.state}>{words.states[box.state]}</Row>
      <Row name={words.work}>{words.atWork(queue.running, queue.waiting)}</Row>
      <Row name={words.speed}>
        {box.tokens_per_second > 0 ? words.tokens(number(box.tokens_per_second, 1)) : words.noSpeed}
      </Row>
      <Row name={words.heat}>
        {celsius === null ? words.unknown : words.celsius(number(celsius))}
        {isHot && <strong class="bad"> {words.hot}</strong>}
      </Row>
      <Row name={words.memory}>
        {used === null ? words.planned(planned) : words.memoryOf(number(used), planned)}
      </Row>
      <Row name={words.model}>
        {model.name} ({model.demo ? words.demo : size})
      </Row>
      <Row name={words.version}>{box.version}</Row>
      <Row name={words.since}>{fullTime(box.up_since, languageTag.value)}</Row>
    </dl>
  );
}

function Row({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
