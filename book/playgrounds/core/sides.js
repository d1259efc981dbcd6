// @ts-check
// How sides stand that are counted on the same photographs.

import {make, percent} from "./elements.js";
import {wilson} from "./intervals.js";

/**
 * One side: its share of the photographs, and how sure that share is.
 * @param {string} name
 * @returns {{element: HTMLElement, show: (hits: number, count: number) => void}}
 */
export function side(name) {
  const text = make("span"), range = make("i"), tick = make("b");
  return {
    element: make("div", {className: "side"}, make("strong", {}, name), make("div", {className: "bar", "aria-hidden": "true"}, range, tick), text),
    show(hits, count) {
      const [low, high] = wilson(hits, count);
      range.style.left = percent(low);
      range.style.width = percent(high - low);
      range.hidden = tick.hidden = !count;
      tick.style.left = percent(count && hits / count);
      text.textContent = count ? `${hits} of ${count}: ${percent(hits / count, 0)}, 95% interval ${percent(low, 0)} to ${percent(high, 0)}` : "nothing yet";
    },
  };
}
