// Tells when an element comes near the screen or leaves it, for texts that are rendered only where
// somebody looks. One observer for the whole page.

const MARGIN = "800px 0px";

type Listener = (isNear: boolean) => void;

const listeners = new WeakMap<Element, Listener>();
let observer: IntersectionObserver | null = null;

function observe(): IntersectionObserver {
  observer ??= new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) listeners.get(target)?.(isIntersecting);
  }, { rootMargin: MARGIN });
  return observer;
}

/** Calls `listener` soon, and whenever it changes. Without an observer everything is near. */
export function watchNear(element: Element, listener: Listener): void {
  if (typeof IntersectionObserver === "undefined") return listener(true);
  listeners.set(element, listener);
  observe().observe(element);
}

export function unwatchNear(element: Element): void {
  listeners.delete(element);
  observer?.unobserve(element);
}
