// @ts-check
// How numbers are shown: nine of them in a table, or a photograph's.

import {ink} from "../core/contrast.js";
import {make, pen} from "../core/elements.js";

/** A number to three digits behind the point. @param {number} value */
export const short = value => `${Math.round(value * 1000) / 1000 || 0}`.replace("-", "−");

/**
 * Nine numbers on their colors, above what they are.
 * @param {string} caption
 * @param {number[]} numbers
 * @param {(value: number) => number[]} color
 */
export function table(caption, numbers, color) {
  const cells = numbers.map(number => {
    const cell = make("span", {}, short(number)), shade = color(number);
    cell.style.background = `rgb(${shade})`;
    cell.style.color = ink(shade);
    return cell;
  });
  return make("figure", {}, make("div", {className: "nine"}, ...cells), make("figcaption", {}, caption));
}

/**
 * Paint a photograph in 256 colors: fast, as it is painted anew with each weight that changes.
 * @param {HTMLCanvasElement} canvas
 * @param {ArrayLike<number>} values
 * @param {number} width
 * @param {number} low  gets the first color, as does what is below
 * @param {number} high  gets the last
 * @param {(low: number, high: number) => (value: number) => number[]} colors
 */
export function paintRange(canvas, values, width, low, high, colors) {
  const table = new Uint32Array(256), bytes = new Uint8ClampedArray(table.buffer), color = colors(low, high);
  for (let k = 0; k < 256; k++) bytes.set([...color(low + k / 255 * (high - low)), 255], 4 * k);
  Object.assign(canvas, {width, height: values.length / width});
  const image = pen(canvas).createImageData(width, canvas.height), pixels = new Uint32Array(image.data.buffer);
  const scale = 255 / (high - low);
  for (let k = 0; k < pixels.length; k++) pixels[k] = table[Math.max(0, Math.min(255, (values[k] - low) * scale + 0.5)) | 0];
  pen(canvas).putImageData(image, 0, 0);
}
