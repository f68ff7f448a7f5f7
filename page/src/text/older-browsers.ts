// Functions that marked and lowlight call and that the oldest supported browsers lack. Imported by
// the chunks that need them, before the library.

function define(place: object, name: string, value: unknown): void {
  if (name in place) return;
  Object.defineProperty(place, name, { value, writable: true, configurable: true });
}

function at<T>(this: ArrayLike<T>, index: number): T | undefined {
  const whole = Math.trunc(index) || 0;
  return this[whole < 0 ? whole + this.length : whole];
}

define(Array.prototype, "at", at);
define(String.prototype, "at", at);
define(Object, "hasOwn", (place: object, name: PropertyKey) =>
  Object.prototype.hasOwnProperty.call(place, name));
