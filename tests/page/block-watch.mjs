// Watches the blocks of an answer while it grows: a block that another one follows is finished and
// must not change any more; a formula must be typeset once.

/** Begins to watch the answer on a page, from nothing. */
export function watchBlocks(page) {
  return page.evaluate(() => {
    const noted = { touched: new Set(), typeset: 0, red: 0 };
    const [finished, formulas] = [new WeakSet(), new WeakSet()];
    const within = (selector) => `[aria-label='Answer'] ${selector}`;
    const blockOf = (node) => {
      const element = node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement;
      return element?.closest(within(".prose > *")) ?? null;
    };
    const noteNew = (node) => {
      if (node.nodeType !== Node.ELEMENT_NODE || !node.closest(within("*"))) return;
      for (const element of [node, ...node.querySelectorAll("*")]) {
        if (element.matches(".faulty, .katex-error")) noted.red += 1;
        // One that only moves, as its block is rendered again, is not typeset again.
        if (!element.matches(".katex") || formulas.has(element)) continue;
        formulas.add(element);
        noted.typeset += 1;
      }
    };
    globalThis.blockWatch?.disconnect();
    globalThis.blockWatch = new MutationObserver((changes) => {
      for (const { target, addedNodes, removedNodes } of changes) {
        const block = blockOf(target);
        if (block && finished.has(block)) noted.touched.add(block.textContent.slice(0, 80));
        for (const node of removedNodes) {
          if (finished.has(node)) noted.touched.add(`removed: ${node.textContent.slice(0, 80)}`);
        }
        addedNodes.forEach(noteNew);
      }
      for (const prose of document.querySelectorAll(within(".prose"))) {
        for (const block of [...prose.children].slice(0, -1)) finished.add(block);
      }
    });
    globalThis.blockWatch.noted = noted;
    const all = { childList: true, subtree: true, characterData: true };
    globalThis.blockWatch.observe(document.body, all);
  });
}

/** Returns what was noted: finished blocks that changed, formulas typeset, faulty ones shown. */
export function watched(page) {
  return page.evaluate(() => {
    const { touched, typeset, red } = globalThis.blockWatch.noted;
    return { touched: [...touched], typeset, red };
  });
}
