// @ts-check
// Maps as large squares: a reader points at a value, or moves over them by keys; a mark shows where.

import {make, paint, paintColors, pen} from "./elements.js";

/** @typedef {import("./elements.js").Color} Color */

export const INK = "#D55E00";
const small = document.createElement("canvas");

/** @param {number} value */
export const short = (value, digits = 2) => (Math.abs(value) < 0.5 * 10 ** -digits ? 0 : value).toFixed(digits).replace("-", "−");

/**
 * A canvas whose values a reader can point at.
 * @param {string} label
 * @param {string} description  what keys do
 * @param {(x: number, y: number) => void} onplace  where it was pressed, as shares of width and height
 * @param {(right: number, down: number) => void} onstep  an arrow key
 * @returns {HTMLCanvasElement}
 */
export function surface(label, description, onplace, onstep) {
  /** @type {Record<string, [number, number]>} */
  const steps = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
  const canvas = make("canvas", {
    className: "surface", tabIndex: 0, role: "application", "aria-label": label, "aria-description": description,
    onclick(/** @type {MouseEvent} */ {clientX, clientY}) {
      const {left, top, width, height} = canvas.getBoundingClientRect();
      const within = (/** @type {number} */ share) => Math.min(0.999999, Math.max(0, share));
      onplace(within((clientX - left) / width), within((clientY - top) / height));
    },
    onkeydown(/** @type {KeyboardEvent} */ event) {
      const step = steps[event.key];
      if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      onstep(...step);
    },
  });
  return canvas;
}

/**
 * Paint numbers, or a color image, as squares of several pixels.
 * @param {HTMLCanvasElement} canvas
 * @param {ArrayLike<number>} values
 * @param {number} width
 * @param {number} zoom
 * @param {((value: number) => Color)=} color  none: the values are a color image (3, H, W)
 */
export function enlarge(canvas, values, width, zoom, color) {
  if (color) paint(small, values, width, color);
  else paintColors(small, values, width);
  Object.assign(canvas, {width: small.width * zoom, height: small.height * zoom});
  const context = pen(canvas);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
}

/**
 * Mark a rectangle, dark within light, so that it is seen on everything.
 * @param {HTMLCanvasElement} canvas
 * @param {number[]} box  x, y, width and height in values
 * @param {number} zoom
 */
export function mark(canvas, box, zoom) {
  const context = pen(canvas), [x, y, width, height] = box.map(value => value * zoom);
  for (const [color, line] of /** @type {[string, number][]} */ ([["#fff", 5], [INK, 2.5]])) {
    Object.assign(context, {strokeStyle: color, lineWidth: line});
    context.strokeRect(x, y, width, height);
  }
}

/**
 * Maps side by side, with a gap of one value.
 * @param {{shape: number[], data: ArrayLike<number>}} maps  (C, H, W)
 * @param {number} across  how many in a row
 */
export function mosaic({shape: [channels, height, width], data}, across) {
  const wide = across * (width + 1) - 1, values = new Float32Array((Math.ceil(channels / across) * (height + 1) - 1) * wide).fill(NaN);
  for (let c = 0, at = 0; c < channels; c++) {
    const corner = Math.floor(c / across) * (height + 1) * wide + c % across * (width + 1);
    for (let i = 0; i < height; i++) for (let j = 0; j < width; j++) values[corner + i * wide + j] = data[at++];
  }
  return {values, width: wide};
}
