// Starts the page. When a part of it cannot be loaded because the box was updated meanwhile, the
// page loads itself again, once; what was typed is kept by the form.

import { effect } from "@preact/signals";
import { render } from "preact";
import { getHealth } from "./api/client.ts";
import { App } from "./app.tsx";
import { followSeen } from "./jobs/seen.ts";
import { followRoute, watchBox } from "./state.ts";
import { languageTag, preferredLanguage, showLanguage } from "./strings/index.ts";

const RELOADED = "reloaded-for-update";

/** Loads the page again if a chunk of it is gone, but not twice for the same page. */
async function reloadAfterUpdate(event: PromiseRejectionEvent) {
  const text = String(event.reason?.message ?? event.reason);
  // The wordings of Chromium, Firefox and Safari, and that of load-style.ts.
  const isChunk = new RegExp("dynamically imported module|importing a module script failed"
    + "|cannot load '/assets/", "i").test(text);
  if (!isChunk) return;
  try {
    // A box that is gone, not updated: its page must stay on the screen.
    await getHealth();
    if (sessionStorage.getItem(RELOADED) === document.scripts[0]?.src) return;
    sessionStorage.setItem(RELOADED, document.scripts[0]?.src ?? "");
  } catch {
    // Without storage a loop could not be noticed.
    return;
  }
  location.reload();
}

function start() {
  const place = document.getElementById("app");
  if (!place) return;
  place.textContent = "";
  render(<App />, place);
}

addEventListener("unhandledrejection", (event) => void reloadAfterUpdate(event));
effect(() => void (document.documentElement.lang = languageTag.value));
followRoute();
followSeen();
void watchBox();
// If its words cannot be loaded, the page is shown in English.
void showLanguage(preferredLanguage()).finally(start);
