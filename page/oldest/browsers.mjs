// The oldest browsers on phones and kiosks that the page supports. `build.mjs` compiles for them,
// and `check.mjs` looks for what they lack.

export const OLDEST = { chrome: 80, firefox: 78, safari: 14 };
