// The parts of the room, each loaded with its style sheet when somebody opens it: connecting, a
// shared question, the projector, the kiosk, the owner's view.

import type { ComponentType } from "preact";
import { loadStyle } from "../../load-style.ts";
import { later } from "../later.tsx";

/** Addresses of style sheets; build.mjs defines them. */
declare const ROOM_STYLE: string;
declare const OWNER_STYLE: string;

function styled<P>(style: string, part: Promise<ComponentType<P>>): Promise<ComponentType<P>> {
  return Promise.all([part, loadStyle(style)]).then(([component]) => component);
}

export const Connect = later(() =>
  styled(ROOM_STYLE, import("./connect/connect.tsx").then((part) => part.Connect)));
export const Ticket = later(() =>
  styled(ROOM_STYLE, import("./share/ticket.tsx").then((part) => part.Ticket)));
export const SharedJob = later(() =>
  styled(ROOM_STYLE, import("./share/shared.tsx").then((part) => part.SharedJob)));
export const Projector = later(() =>
  styled(ROOM_STYLE, import("./projector/projector.tsx").then((part) => part.Projector)));
export const Kiosk = later(() =>
  styled(ROOM_STYLE, import("./kiosk/kiosk.tsx").then((part) => part.Kiosk)));
export const OwnerView = later(() =>
  styled(OWNER_STYLE, import("./owner/owner.tsx").then((part) => part.OwnerView)));
