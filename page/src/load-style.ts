// Loads a style sheet that the first sight of the page does not need, once.

const coming = new Map<string, Promise<void>>();

/** Resolves once the sheet at an address of this box applies. */
export function loadStyle(address: string): Promise<void> {
  const known = coming.get(address);
  if (known) return known;
  const loading = new Promise<void>((done, failed) => {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = address;
    link.onload = () => done();
    link.onerror = () => {
      link.remove();
      coming.delete(address);
      failed(new Error(`cannot load '${address}'`));
    };
    document.head.append(link);
  });
  coming.set(address, loading);
  return loading;
}
