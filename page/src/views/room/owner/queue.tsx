// All questions that have not ended, of all clients, without their words: the owner moves, stops
// and deletes them. Read again every few seconds while it is seen.

import { useMemo, useRef } from "preact/hooks";
import {
  type OwnerJob, deleteAnyJob, listAllJobs, moveToFront, stopAllJobs, stopAnyJob,
} from "../../../api/owner.ts";
import { say } from "../../../state.ts";
import { languageTag } from "../../../strings/index.ts";
import { modeWords } from "../../ask/mode-words.ts";
import { Confirm } from "../../history/confirm.tsx";
import { Failure } from "../../failure.tsx";
import { shortTime } from "../../history/when.ts";
import { doing } from "../../job/asking.ts";
import { clientName } from "./client-name.ts";
import { useFollowed } from "./follow.ts";
import { useKeptFocus } from "./kept-focus.ts";
import { asOwner } from "./session.ts";
import { w } from "./words.ts";

const REFRESH_MS = 3_000;
const MINUTE_S = 60;

export function Queue() {
  const words = w().queue;
  const { value, error, readNow } = useFollowed(listAllJobs, REFRESH_MS);
  const heading = useRef<HTMLHeadingElement>(null);
  const list = useRef<HTMLOListElement>(null);
  const acting = useMemo(doing, []);
  const jobs = value.value;
  useKeptFocus(list, heading);

  /** Does something to jobs, and shows at once what came of it. */
  const act = async (request: () => Promise<void>, done: string) => {
    await asOwner(request);
    await readNow();
    say(done);
  };
  const take = (request: () => Promise<void>, done: string) =>
    void acting.run(() => act(request, done));
  const fault = acting.fault.value ?? error.value;
  return (
    <section class="card queue">
      <h2 ref={heading} tabIndex={-1}>{words.title}</h2>
      {fault && <Failure error={fault} />}
      {!jobs && !fault && <p class="quiet">{w().loading}</p>}
      {jobs?.length === 0 && <p class="quiet">{words.empty}</p>}
      <ol class="queue-list" ref={list} hidden={!jobs?.length}>
        {jobs?.map((job) => <Entry key={job.id} job={job} take={take} act={act} />)}
      </ol>
      {jobs && jobs.length > 0 && (
        <Confirm label={words.stopAll} question={words.reallyStopAll(jobs.length)}
          yes={words.yesStopAll} no={words.keep} acting={words.acting}
          act={async () => {
            await act(stopAllJobs, words.stoppedAll);
            // The button that was pressed may be gone.
            heading.current?.focus({ preventScroll: true });
          }} />
      )}
    </section>
  );
}

type Request = (request: () => Promise<void>, done: string) => void;

interface EntryProps {
  job: OwnerJob;
  take: Request;
  act(request: () => Promise<void>, done: string): Promise<void>;
}

function Entry({ job, take, act }: EntryProps) {
  const words = w().queue;
  const mode = modeWords(job.mode).name;
  const client = clientName(job.client);
  const name = words.name(mode, client);
  const canMove = job.state === "queued" && job.place !== null && job.place > 1;
  return (
    <li>
      <p class="facts">
        <strong>{mode}</strong>
        <span>{words.states[job.state]}{job.place ? ` (${words.place(job.place)})` : ""}</span>
        <span>{words.attempts(job.attempts_wanted)}</span>
        {job.eta && <span>{timeLeft(job.eta.seconds)}</span>}
        <span class="quiet">{words.client(client)}</span>
        <span class="quiet">{words.asked(shortTime(job.asked_at, languageTag.value))}</span>
      </p>
      <div class="queue-keys">
        {canMove && (
          <button type="button" aria-label={words.moveThis(name)}
            onClick={() => take(() => moveToFront(job.id), words.moved)}>
            {words.move}
          </button>
        )}
        <button type="button" aria-label={words.stopThis(name)}
          onClick={() => take(() => stopAnyJob(job.id), words.stopped)}>
          {words.stop}
        </button>
        <Confirm label={words.delete} name={words.deleteThis(name)} question={words.reallyDelete}
          yes={words.yesDelete} no={words.keep} acting={words.acting}
          act={() => act(() => deleteAnyJob(job.id), words.deleted)} />
      </div>
    </li>
  );
}

function timeLeft(seconds: number): string {
  const words = w().queue;
  return seconds < MINUTE_S ? words.soon : words.minutes(Math.round(seconds / MINUTE_S));
}
