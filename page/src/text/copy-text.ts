// Puts a text on the clipboard, also over plain HTTP, where browsers hide the clipboard's API.

/** Returns whether the text was copied. Must be called from a click. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/** Copies by selecting a field, and gives back focus and selection. */
function copyBySelection(text: string): boolean {
  const selection = getSelection();
  const ranges = selection
    ? Array.from({ length: selection.rangeCount }, (_, i) => selection.getRangeAt(i))
    : [];
  const focused = document.activeElement;
  const field = document.createElement("textarea");
  field.value = text;
  field.readOnly = true;
  field.className = "unseen";
  // The class forbids line breaks, with which browsers copy no indentation.
  field.style.whiteSpace = "pre";
  field.setAttribute("aria-hidden", "true");
  // Where the reader is, so that focusing it does not scroll.
  field.style.position = "fixed";
  field.style.top = "0";
  document.body.append(field);
  field.focus({ preventScroll: true });
  field.setSelectionRange(0, text.length);
  let isCopied = false;
  try {
    isCopied = document.execCommand("copy");
  } catch {
    // Then it was not copied.
  }
  field.remove();
  selection?.removeAllRanges();
  for (const range of ranges) selection?.addRange(range);
  if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
  return isCopied;
}
