// @ts-check
// A small chart of lines and dots, drawn as SVG: sharp at any size, in the colors of the page.

import {make} from "./elements.js";

const WIDTH = 240, HEIGHT = 170, LEFT = 40, RIGHT = 234, TOP = 8, BOTTOM = 140;

/**
 * @typedef {{kind: "line" | "dots", color: string, points: [x: number, y: number][]}} Series
 * @typedef {{x: [number, number], y: [number, number], ticks: [y: number, label: string][], marks?: [x: number, label: string][]}} Axes
 *     without marks, both ends of the x axis have their numbers
 */

/** @param {string} tag @param {Record<string, string | number>} attributes @param {(Node | string)[]} children */
function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, `${value}`);
  element.append(...children);
  return element;
}

/**
 * A chart under a caption.
 * @param {string} description  for those who do not see it
 * @param {string} caption
 * @param {string} below  what is along the x axis
 * @returns {{element: HTMLElement, show: (axes: Axes, series: Series[]) => void}}
 */
export function chart(description, caption, below) {
  const frame = svg("svg", {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": description});
  return {
    element: make("figure", {}, make("figcaption", {}, caption), frame),
    show({x, y, ticks, marks = x.map(value => [value, `${value}`])}, series) {
      /** @param {number} value */
      const across = value => LEFT + (value - x[0]) / (x[1] - x[0] || 1) * (RIGHT - LEFT);
      /** @param {number} value */
      const up = value => BOTTOM - (value - y[0]) / (y[1] - y[0] || 1) * (BOTTOM - TOP);
      const grid = ticks.flatMap(([value, label]) => [
        svg("line", {class: "grid", x1: LEFT, x2: RIGHT, y1: up(value), y2: up(value)}),
        svg("text", {x: LEFT - 4, y: up(value) + 4, "text-anchor": "end"}, label)]);
      const places = marks.map(([value, label]) => {
        const anchor = value === x[0] ? "start" : value === x[1] ? "end" : "middle";
        return svg("text", {x: across(value), y: BOTTOM + 13, "text-anchor": anchor}, label);
      });
      const title = svg("text", {x: (LEFT + RIGHT) / 2, y: BOTTOM + 25, "text-anchor": "middle"}, below);
      const drawn = series.map(({kind, color, points}) => {
        const seen = points.filter(([, value]) => value >= y[0] && value <= y[1]).map(([px, py]) => [across(px), up(py)]);
        if (kind === "line") return svg("polyline", {class: color, points: seen.map(place => place.join()).join(" ")});
        return svg("g", {class: color}, ...seen.map(([cx, cy]) => svg("circle", {cx, cy, r: 2.2})));
      });
      frame.replaceChildren(...grid, ...places, title, ...drawn);
    },
  };
}

/**
 * Powers of ten for an axis of logarithms that holds these numbers.
 * @param {number[]} values  above 0
 * @returns {{y: [number, number], ticks: [number, string][]}}
 */
export function decades(values) {
  const logs = values.filter(value => value > 0 && Number.isFinite(value)).map(Math.log10);
  const low = Math.floor(Math.min(-1, ...logs)), high = Math.ceil(Math.max(1, ...logs));
  const every = Math.max(1, Math.ceil((high - low) / 6)), first = Math.ceil(low / every) * every;
  const ticks = Array.from({length: Math.floor((high - first) / every) + 1}, (_, k) => first + k * every);
  return {y: [low, high], ticks: ticks.map(power => [power, power === 0 ? "1" : `10${raised(power)}`])};
}

/** @param {number} power */
const raised = power => `${power}`.replace(/./g, sign => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)]);
