// @ts-check
// A table of numbers, each on the color that it has in a map.

import {make} from "../core/elements.js";
import {short} from "../core/maps.js";

/**
 * @param {string} label
 * @param {number[]} numbers
 * @param {(value: number) => import("../core/elements.js").Color} color
 * @param {((k: number) => void)=} onclick
 * @returns {HTMLElement}
 */
export function table(label, numbers, color, onclick) {
  const element = make("div", {className: "numbers", role: "group", "aria-label": label}, ...numbers.map((value, k) => {
    const cell = onclick ? make("button", {type: "button", onclick: () => onclick(k)}) : make("span");
    cell.textContent = short(value);
    const shade = color(value).map(Math.round);
    cell.style.background = `rgb(${shade.join()})`;
    cell.style.color = shade[1] < 110 ? "#fff" : "#000"; // the stronger a color here, the less green is in it
    return cell;
  }));
  element.style.gridTemplateColumns = `repeat(${Math.sqrt(numbers.length)}, 1fr)`;
  return element;
}
