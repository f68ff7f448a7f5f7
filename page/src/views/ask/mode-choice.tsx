// The modes as buttons. Those that the model cannot do stay in sight and tell how to get a model
// that can.

import { useSignal } from "@preact/signals";
import { modes, say } from "../../state.ts";
import { t } from "../../strings/index.ts";
import { Choices } from "./choices.tsx";
import { edit } from "./draft.ts";
import { modeWords } from "./mode-words.ts";
import { offered } from "./modes.ts";

export function ModeChoice({ chosen }: { chosen: string }) {
  const words = t().ask;
  const isOpen = useSignal(false);
  const all = offered(modes.value);
  const choices = all.map(({ name, about, is_supported: isSupported }) => {
    const { name: shown, about: sentence } = modeWords(name, about);
    const note = isSupported ? sentence : words.needsModel;
    return { value: name, name: shown, note, isDisabled: !isSupported };
  });

  return (
    <>
      <Choices label={words.modeLabel} class="modes" choices={choices} chosen={chosen}
        onChoose={({ value, name, isDisabled }) => {
          // Another mode has a number of attempts of its own.
          if (!isDisabled) return edit({ mode: value, attempts: null });
          isOpen.value = true;
          say(words.needsModelSaid(name));
        }} />
      {choices.some(({ isDisabled }) => isDisabled) && (
        <details class="real-model" open={isOpen.value}
          onToggle={(event) => (isOpen.value = event.currentTarget.open)}>
          <summary>{words.realModel.summary}</summary>
          <p>{words.realModel.what}</p>
          <p>{words.realModel.how}</p>
          <ol>{words.realModel.steps.map((step) => <li key={step}>{step}</li>)}</ol>
        </details>
      )}
    </>
  );
}
