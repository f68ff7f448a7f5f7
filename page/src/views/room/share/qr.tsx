// A QR code: dark on light in both schemes, because not every phone reads the inverse, with the
// quiet zone that scanners need. Loaded only where one is shown.

import { useMemo } from "preact/hooks";
import { encode } from "uqr";
import { t } from "../../../strings/index.ts";
import { QUIET_ZONE, pathOf } from "./qr-path.ts";

export function Qr({ text }: { text: string }) {
  // "M" survives a smudge or the moiré of a photographed screen; the border is drawn here.
  const { data, size } = useMemo(() => encode(text, { ecc: "M", border: 0 }), [text]);
  const width = size + 2 * QUIET_ZONE;
  return (
    <svg class="qr" role="img" aria-label={t().room.codeOf(text)} viewBox={`0 0 ${width} ${width}`}
      shape-rendering="crispEdges">
      <rect width={width} height={width} fill="#fff" />
      <path d={pathOf(data)} fill="#000" />
    </svg>
  );
}
