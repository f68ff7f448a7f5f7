// The keys of the keypad, in rows, and where arrow keys move on it. Pure; keypad.tsx shows them and
// typing.ts does what they mean.

import type { SymbolName } from "../../ask/symbols.ts";

export type Layer = "letters" | "mathematics" | "signs";

export type Command = "back" | "undo" | "left" | "right" | "enter" | "fold" | "shift";

export type Key =
  | { kind: "text"; text: string }
  | { kind: "symbol"; name: SymbolName }
  | { kind: "layer"; to: Layer }
  | { kind: "command"; name: Command };

const text = (characters: string): Key[] =>
  characters.split(" ").map((one) => ({ kind: "text", text: one }));
const symbols = (...names: SymbolName[]): Key[] => names.map((name) => ({ kind: "symbol", name }));
const command = (name: Command): Key => ({ kind: "command", name });

export const SPACE: Key = { kind: "text", text: " " };

const DIGITS: Key[] = [...text("1 2 3 4 5 6 7 8 9 0"), command("back")];

const LAYERS: Record<Layer, readonly Key[][]> = {
  letters: [
    text("q w e r t y u i o p +"),
    text("a s d f g h j k l - ="),
    [command("shift"), ...text("z x c v b n m , . ?")],
  ],
  mathematics: [
    [...symbols("fraction", "root", "power", "subscript", "formula", "absolute", "braces"),
      ...text("( ) / .")],
    [...text("+ -"), ...symbols("times", "divided"), ...text("= < >"),
      ...symbols("less", "greater", "unequal", "roughly")],
    [...symbols("pi", "degree", "angle", "plusMinus", "infinity", "integral", "sum", "arrow"),
      ...text("x y %")],
  ],
  signs: [
    text("* / \\ | ^ _ ~ # @ & $"),
    text("( ) [ ] { } < > \" ' `"),
    text(". , ; : ! ? + - = % °"),
  ],
};

const OTHERS: Record<Layer, [Layer, Layer]> = {
  letters: ["mathematics", "signs"],
  mathematics: ["letters", "signs"],
  signs: ["letters", "mathematics"],
};

/** Returns the rows of a layer: digits on top, and below what moves and switches. */
export function rowsOf(layer: Layer): readonly (readonly Key[])[] {
  const [one, other] = OTHERS[layer];
  const foot: Key[] = [
    { kind: "layer", to: one }, { kind: "layer", to: other }, command("undo"), command("left"),
    SPACE, command("right"), command("enter"), command("fold"),
  ];
  return [DIGITS, ...LAYERS[layer], foot];
}

/** Tells whether holding a key repeats it. */
export function repeats(key: Key): boolean {
  return key.kind === "command" && ["back", "left", "right"].includes(key.name);
}

/** The place of a key: row and column. */
export type Place = readonly [number, number];

/** Returns where an arrow key moves from a place; null for any other key. In a row of another
    length it goes to about the same height of the row. */
export function movedTo(
  pressed: string, [row, column]: Place, rows: readonly (readonly Key[])[],
): Place | null {
  const length = rows[row]?.length ?? 1;
  const other = (at: number): Place => {
    const next = (at + rows.length) % rows.length;
    const width = rows[next]?.length ?? 1;
    const middle = (column + 0.5) / length;
    return [next, Math.min(width - 1, Math.floor(middle * width))];
  };
  switch (pressed) {
    case "ArrowRight":
      return [row, (column + 1) % length];
    case "ArrowLeft":
      return [row, (column + length - 1) % length];
    case "ArrowDown":
      return other(row + 1);
    case "ArrowUp":
      return other(row - 1);
    default:
      return null;
  }
}
