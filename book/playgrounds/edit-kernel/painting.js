// @ts-check
// Photographs are painted with each weight that changes, so the color of a number is looked up and not computed.

import {pen} from "../core/elements.js";

/**
 * Paint numbers, a pixel each, in 256 colors.
 * @param {HTMLCanvasElement} canvas  takes on the width, and the height that follows
 * @param {ArrayLike<number>} values  row by row
 * @param {number} width
 * @param {number} low  the number that gets the first color, as does what is below
 * @param {number} high  and the last
 * @param {(value: number) => number[]} color  red, green and blue, 0 to 255
 */
export function paintRange(canvas, values, width, low, high, color) {
  const height = values.length / width, context = pen(canvas);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, {width, height});
  const table = new Uint32Array(256), bytes = new Uint8ClampedArray(table.buffer);
  for (let k = 0; k < 256; k++) bytes.set([...color(low + k / 255 * (high - low)), 255], 4 * k);
  const image = context.createImageData(width, height), pixels = new Uint32Array(image.data.buffer);
  const scale = 255 / (high - low), shift = 0.5 - low * scale;
  for (let k = 0; k < pixels.length; k++) {
    const place = values[k] * scale + shift;
    pixels[k] = table[place > 255 ? 255 : place > 0 ? place | 0 : 0];
  }
  context.putImageData(image, 0, 0);
}
