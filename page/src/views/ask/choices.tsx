// A group of choices as large buttons, each with a line of its own: radio buttons by role and keys.
// A choice that cannot be made keeps its place and its focus, and says why when pressed. Native
// radio buttons cannot do that: arrows select whatever they reach.

import { useId, useRef } from "preact/hooks";
import { moved } from "./keys.ts";

export interface Choice<T> {
  value: T;
  name: string;
  note: string;
  isDisabled?: boolean;
}

interface Props<T> {
  label: string;
  hint?: string;
  class: string;
  choices: Choice<T>[];
  chosen: T;
  /** Called for disabled choices, too, when they are pressed. */
  onChoose(choice: Choice<T>): void;
}

export function Choices<T extends string | number>(props: Props<T>) {
  const id = useId();
  const group = useRef<HTMLDivElement>(null);
  const { choices, chosen, onChoose } = props;
  const isChosen = ({ value, isDisabled }: Choice<T>) => value === chosen && !isDisabled;
  // Without a choice, Tab still reaches the group.
  const stop = Math.max(0, choices.findIndex(isChosen));

  function takeKey(event: KeyboardEvent) {
    const buttons = Array.from(group.current?.children ?? []) as HTMLElement[];
    const at = buttons.indexOf(document.activeElement as HTMLElement);
    const next = moved(event.key, at, buttons.length);
    if (next === null || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    buttons[next]?.focus();
    const choice = choices[next];
    if (choice && !choice.isDisabled) onChoose(choice);
  }

  return (
    <div class="choice-group">
      <p class="group-label">
        <span id={id}>{props.label}</span>{" "}
        {props.hint && <span id={`${id}-hint`} class="quiet">{props.hint}</span>}
      </p>
      <div ref={group} class={`choices ${props.class}`} role="radiogroup" aria-labelledby={id}
        aria-describedby={props.hint ? `${id}-hint` : undefined} onKeyDown={takeKey}>
        {choices.map((choice, at) => (
          <button type="button" role="radio" key={choice.value} class="choice"
            aria-checked={isChosen(choice)} aria-disabled={choice.isDisabled ?? false}
            tabIndex={at === stop ? 0 : -1} onClick={() => onChoose(choice)}>
            <span class="choice-name">{choice.name}</span>
            <span class="choice-note">{choice.note}</span>
          </button>
        ))}
      </div>
    </div>
  );
}
