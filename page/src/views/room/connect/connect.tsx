// How other devices reach the box: its addresses, each with a QR code. On loopback there are none:
// then it says how to open the box to the network.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { type BoxError, asBoxError, getBox } from "../../../api/client.ts";
import { t } from "../../../strings/index.ts";
import { Failure } from "../../failure.tsx";
import { type BoxAddress, reachable } from "../share/addresses.ts";
import { Qr } from "../share/qr.tsx";

const OPEN_COMMAND = "solverbox serve --listen 0.0.0.0:7860";

export function Connect() {
  const words = t().room.connect;
  const addresses = useSignal<BoxAddress[] | null>(null);
  const error = useSignal<BoxError | null>(null);
  const load = () => {
    getBox().then(
      (box) => {
        error.value = null;
        addresses.value = reachable(box.addresses ?? [], location.origin);
      },
      (thrown) => (error.value = asBoxError(thrown)),
    );
  };
  useEffect(load, []);
  const found = addresses.value;
  return (
    <section class="card connect">
      <h2>{words.title}</h2>
      {error.value && <Failure error={error.value} again={load} />}
      {!found && !error.value && <p class="quiet">{words.loading}</p>}
      {found && (found.length > 0 ? <Addresses addresses={found} /> : <Unreachable />)}
    </section>
  );
}

function Addresses({ addresses }: { addresses: BoxAddress[] }) {
  const words = t().room.connect;
  const hasNumber = addresses.some(({ kind }) => kind === "number");
  const note = hasNumber ? words.name : words.onlyName;
  return (
    <>
      <p>{words.how}</p>
      <ul class="addresses">
        {addresses.map(({ url, kind }) => (
          <li key={url}>
            <Qr text={url} />
            <p class="address">{url}</p>
            <p class="quiet">{kind === "number" ? words.number : note}</p>
          </li>
        ))}
      </ul>
    </>
  );
}

/** Why there is no address, and the way out; the share of a question says the same. */
export function Unreachable() {
  const words = t().room.connect;
  return (
    <>
      <p>{words.none}</p>
      <p>{words.way}</p>
      <pre class="command"><code>{OPEN_COMMAND}</code></pre>
    </>
  );
}
