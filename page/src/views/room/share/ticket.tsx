// What *Take along* opens: the link to a question with its QR code, to copy, to show on a projector
// and to take back. The link is at the address that most devices can open.

import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { getBox } from "../../../api/client.ts";
import { bigPath } from "../../../door.ts";
import type { LiveJob } from "../../../jobs/job.ts";
import { door, say } from "../../../state.ts";
import { t } from "../../../strings/index.ts";
import { copyText } from "../../../text/copy-text.ts";
import { Failure } from "../../failure.tsx";
import { doing } from "../../job/asking.ts";
import { Unreachable } from "../connect/connect.tsx";
import { type BoxAddress, linkAt, reachable } from "./addresses.ts";
import { links, makeLink, takeBack } from "./links.ts";
import { Qr } from "./qr.tsx";

interface TicketProps { job: LiveJob; close(): void }

export function Ticket({ job, close }: TicketProps) {
  const words = t().room.share;
  const addresses = useSignal<BoxAddress[] | null>(null);
  const isTakenBack = useSignal(false);
  const making = useMemo(doing, [job.id]);
  const withdrawing = useMemo(doing, [job.id]);
  const make = () => void making.run(async () => {
    addresses.value = reachable((await getBox()).addresses ?? [], location.origin);
    if (addresses.value.length > 0) await makeLink(job.id);
  });
  useEffect(make, [job.id]);
  const closer = useRef<HTMLButtonElement>(null);
  const withdraw = () => void withdrawing.run(async () => {
    await takeBack(job.id);
    isTakenBack.value = true;
    say(words.withdrawn);
    // The button that was pressed goes.
    closer.current?.focus({ preventScroll: true });
  });

  const [best] = addresses.value ?? [];
  const path = making.isDone.value ? links.value.get(job.id)?.path : undefined;
  const fault = making.fault.value ?? withdrawing.fault.value;
  return (
    <section class="ticket" aria-label={words.title}>
      <h2>{words.title}</h2>
      {making.isBusy.value && <p class="quiet">{words.making}</p>}
      {fault && <Failure error={fault} {...(making.fault.value ? { again: make } : {})} />}
      {addresses.value && !best && <><p>{words.none}</p><Unreachable /></>}
      {isTakenBack.value && <p>{words.withdrawn}</p>}
      {best && path && <Link link={linkAt(best, path)} path={path} />}
      <div class="ticket-row">
        {best && path && (
          <button type="button" aria-disabled={withdrawing.isBusy.value} onClick={withdraw}>
            {withdrawing.isBusy.value ? words.withdrawing : words.withdraw}
          </button>
        )}
        <button type="button" ref={closer} onClick={close}>{words.close}</button>
      </div>
    </section>
  );
}

function Link({ link, path }: { link: string; path: string }) {
  const words = t().room.share;
  const { actions } = t().job;
  const result = useSignal<"none" | "copied" | "failed">("none");
  const copy = async () => {
    const isCopied = await copyText(link);
    result.value = isCopied ? "copied" : "failed";
    say(isCopied ? actions.copied : actions.copyFailed);
  };
  return (
    <div class="ticket-link">
      <Qr text={link} />
      <div>
        <p>{words.how}</p>
        <p class="address">{link}</p>
        <p class="quiet">{words.rights}</p>
        <p>
          <button type="button" onClick={() => void copy()}>
            {result.value === "copied" ? actions.copied : words.copy}
          </button>
          {/* A kiosk has one page and no way back from another. */}
          {door.name !== "kiosk" && (
            <a class="ticket-big" href={bigPath(path)} target="_blank" rel="noopener">
              {words.big}
            </a>
          )}
        </p>
        {result.value === "failed" && <p>{actions.copyFailed}</p>}
      </div>
    </div>
  );
}
