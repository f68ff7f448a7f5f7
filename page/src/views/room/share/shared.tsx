// A question that somebody shares, to be read: it follows the job while it runs and can do nothing
// with it.

import { useEffect, useMemo } from "preact/hooks";
import { type LiveJob, openShared } from "../../../jobs/job.ts";
import { t } from "../../../strings/index.ts";
import { Prose } from "../../../text/prose-component.tsx";
import { JobView } from "../../job/job.tsx";

export function SharedJob({ token }: { token: string }) {
  const job = useShared(token);
  if (isWithdrawn(job) && !job.hasRead.value) return <Withdrawn />;
  return (
    <>
      <SharedQuestion job={job} />
      <JobView job={job} isShared={true} />
    </>
  );
}

/** Follows the job of a link while the component is on the page. */
export function useShared(token: string): LiveJob {
  const job = useMemo(() => openShared(token), [token]);
  useEffect(() => () => job.close(), [job]);
  return job;
}

/** Tells whether the link does not work, or not any more. */
export function isWithdrawn(job: LiveJob): boolean {
  return job.link.value === "over" && job.linkError.value?.kind === "not_found";
}

export function Withdrawn() {
  const words = t().room.shared;
  return (
    <section class="card">
      <h2>{words.withdrawn}</h2>
      <p>{words.why}</p>
      <p><a class="shared-ask" href="/">{words.ask}</a></p>
    </section>
  );
}

function SharedQuestion({ job }: { job: LiveJob }) {
  const words = t().room.shared;
  if (!job.hasRead.value) return null;
  const { question, attempt_of_student: work } = job.info.value;
  return (
    <section class="card shared-question" aria-label={words.question}>
      <p class="quiet">{isWithdrawn(job) ? words.withdrawnNow : words.about}</p>
      <Prose text={question} isComplete={true} />
      {work !== null && (
        <>
          <h2>{words.work}</h2>
          <p class="as-typed">{work}</p>
        </>
      )}
      <p><a class="shared-ask" href="/">{words.ask}</a></p>
    </section>
  );
}
