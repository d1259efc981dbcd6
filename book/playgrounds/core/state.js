// @ts-check
// What a reader has set, in the address's fragment: a link to `page.html#draw-digit?digit=3` opens the playground so.

/** @typedef {Record<string, string>} State */

/**
 * The state of a playground that the address holds; null where it holds none, as when a link only leads to its place.
 * @param {string} name  of the playground
 * @returns {State | null}
 */
export function stateInAddress(name) {
  const fragment = location.hash.slice(1);
  if (!fragment.startsWith(`${name}?`)) return null;
  return Object.fromEntries(new URLSearchParams(fragment.slice(name.length + 1)));
}

/**
 * Write a playground's state into the address, without a step in the browser's history.
 * @param {string} name
 * @param {State} state  empty: the playground as it is at first, which needs no fragment
 */
export function writeState(name, state) {
  const written = new URLSearchParams(state).toString();
  if (!written && stateInAddress(name) === null) return;
  history.replaceState(history.state, "", written ? `#${name}?${written}` : location.pathname + location.search);
}
