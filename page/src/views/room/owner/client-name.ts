// The name that the owner's view gives a client. Pure.

/** Returns the digits that distinguish a client in what the box calls it: `Client(5dfdfe…)`. */
export function clientName(client: string): string {
  return /[0-9a-f]{4,}/.exec(client)?.[0] ?? client;
}
