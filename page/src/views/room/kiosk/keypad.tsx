// The keypad of a kiosk, whose compositor shows no keyboard of its own. It types into the field
// that has the focus, which keeps it; with arrow keys and Enter it works without a touch screen,
// too. It stays while there is a field to type into, because a keypad that came and went with the
// focus would move what a finger is about to press.

import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { t } from "../../../strings/index.ts";
import { focusedField } from "../../ask/insert.ts";
import { SYMBOLS } from "../../ask/symbols.ts";
import {
  type Command, type Key, type Layer, type Place, movedTo, repeats, rowsOf,
} from "./keys.ts";
import { press } from "./typing.ts";

const HOLD_MS = 450;
const REPEAT_MS = 70;

const COMMAND_SIGNS: Record<Command, string> = {
  back: "⌫", undo: "↶", left: "←", right: "→", enter: "↵", fold: "⌄", shift: "⇧",
};
const LAYER_SIGNS: Record<Layer, string> = { letters: "abc", mathematics: "√π", signs: "#&" };

export function Keypad({ isOpen }: { isOpen: Signal<boolean> }) {
  const words = t().room.keypad;
  const layer = useSignal<Layer>("letters");
  const isShifted = useSignal(false);
  const stop = useSignal<Place>([0, 0]);
  const pad = useRef<HTMLDivElement>(null);
  const rows = rowsOf(layer.value);
  useEffect(() => (pad.current ? tellHeight(pad.current) : undefined), []);

  const strike = (key: Key) => {
    if (key.kind === "layer") return void (layer.value = key.to);
    if (key.kind === "command" && key.name === "shift") {
      return void (isShifted.value = !isShifted.value);
    }
    if (key.kind === "command" && key.name === "fold") return void (isOpen.value = false);
    const field = focusedField();
    if (field) press(field, shifted(key, isShifted.value));
    if (key.kind === "text") isShifted.value = false;
  };
  const takeKey = (event: KeyboardEvent) => {
    const next = movedTo(event.key, stop.value, rows);
    if (!next || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    stop.value = next;
    const row = pad.current?.children[next[0]];
    (row?.children[next[1]] as HTMLElement | undefined)?.focus({ preventScroll: true });
  };
  return (
    <div class="keypad" ref={pad} role="region" aria-label={words.label} onKeyDown={takeKey}
      // The field keeps its focus and its selection.
      onMouseDown={(event) => event.preventDefault()}>
      {rows.map((row, at) => (
        <div class="keypad-row" key={at}>
          {row.map((key, column) => (
            <KeyButton key={column} of={shifted(key, isShifted.value)} isShifted={isShifted.value}
              isStop={stop.value[0] === at && stop.value[1] === column}
              strike={(event) => {
                stop.value = [at, column];
                strike(key);
                // A key that was pressed by a key, not by a finger, can be pressed again.
                if (event.detail === 0) (event.currentTarget as HTMLElement).focus();
              }}
              repeat={() => strike(key)} />
          ))}
        </div>
      ))}
    </div>
  );
}

/** Keeps the page's lower edge above the keypad; returns how to end that. */
function tellHeight(pad: HTMLElement): () => void {
  const { style, classList } = document.documentElement;
  classList.add("has-keypad");
  const tell = () => style.setProperty("--keypad", `${pad.offsetHeight}px`);
  tell();
  addEventListener("resize", tell);
  return () => {
    removeEventListener("resize", tell);
    classList.remove("has-keypad");
    style.removeProperty("--keypad");
  };
}

function shifted(key: Key, isShifted: boolean): Key {
  return isShifted && key.kind === "text" ? { ...key, text: key.text.toUpperCase() } : key;
}

interface KeyProps {
  of: Key;
  isStop: boolean;
  isShifted: boolean;
  strike(event: MouseEvent): void;
  repeat(): void;
}

function KeyButton({ of: key, isStop, isShifted, strike, repeat }: KeyProps) {
  const { sign, name } = faceOf(key);
  const holding = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const hasRepeated = useRef(false);
  const release = () => clearTimeout(holding.current);
  const hold = () => {
    hasRepeated.current = false;
    if (!repeats(key)) return;
    const again = () => {
      hasRepeated.current = true;
      repeat();
      holding.current = setTimeout(again, REPEAT_MS);
    };
    holding.current = setTimeout(again, HOLD_MS);
  };
  useEffect(() => release, []);
  const isShift = key.kind === "command" && key.name === "shift";
  return (
    <button type="button" class={`key ${kindOf(key)}`} tabIndex={isStop ? 0 : -1}
      title={name === sign ? undefined : name}
      aria-pressed={isShift ? isShifted : undefined}
      onPointerDown={hold} onPointerUp={release} onPointerLeave={release} onPointerCancel={release}
      onClick={(event) => {
        // Letting go of a key that has repeated is not one more press.
        if (!hasRepeated.current || event.detail === 0) strike(event);
        hasRepeated.current = false;
      }}>
      {name === sign ? sign : (
        <>
          <span aria-hidden="true">{sign}</span>
          <span class="unseen">{name}</span>
        </>
      )}
    </button>
  );
}

function kindOf(key: Key): string {
  if (key.kind === "text") return key.text === " " ? "key-space" : "";
  return key.kind === "symbol" ? "" : "key-command";
}

/** Returns what a key shows and what it is called. */
function faceOf(key: Key): { sign: string; name: string } {
  const words = t().room.keypad;
  switch (key.kind) {
    case "text":
      if (key.text === " ") return { sign: "", name: words.space };
      return { sign: key.text, name: key.text };
    case "symbol": {
      const sign = SYMBOLS.find(({ name }) => name === key.name)?.sign ?? "";
      return { sign, name: t().ask.symbols[key.name] };
    }
    case "layer":
      return { sign: LAYER_SIGNS[key.to], name: words[key.to] };
    case "command":
      return { sign: COMMAND_SIGNS[key.name], name: words[key.name] };
  }
}
