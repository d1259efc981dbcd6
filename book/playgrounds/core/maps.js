// @ts-check
// Maps as large squares: a reader points at a value, or moves by keys; a mark shows where.

import {make, pen} from "./elements.js";

export const INK = "#D55E00";
const small = document.createElement("canvas");

/** @param {number} value */
export const short = value => (Math.abs(value) < 0.005 ? 0 : value).toFixed(2).replace("-", "−");

/**
 * A canvas whose values a reader can point at.
 * @param {string} label
 * @param {(x: number, y: number) => void} onplace  where it was pressed, as shares of width and height
 * @param {(right: number, down: number) => void} onstep  an arrow key
 * @returns {HTMLCanvasElement}
 */
export function surface(label, onplace, onstep) {
  /** @type {Record<string, [number, number]>} */
  const steps = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
  const canvas = make("canvas", {
    className: "surface", tabIndex: 0, role: "application", "aria-label": label, "aria-description": "Arrow keys move the mark.",
    /** @param {MouseEvent} event */
    onclick({offsetX, offsetY}) {
      onplace(Math.max(0, offsetX) / (canvas.clientWidth + 1), Math.max(0, offsetY) / (canvas.clientHeight + 1)); // 1: its border
    },
    /** @param {KeyboardEvent} event */
    onkeydown(event) {
      const step = steps[event.key];
      if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      onstep(...step);
    },
  });
  return canvas;
}

/**
 * Paint maps side by side, a square of several pixels for each value, with a gap of one value between maps.
 * @param {HTMLCanvasElement} canvas
 * @param {{shape: number[], data: ArrayLike<number>}} maps  (C, H, W)
 * @param {number} zoom
 * @param {(value: number, index: number) => ArrayLike<number>} color  red, green and blue, from 0 to 255
 * @param {number} across  how many in a row
 */
export function enlarge(canvas, {shape: [channels, height, width], data}, zoom, color, across = 1) {
  const high = height + 1, wide = width + 1;
  Object.assign(small, {width: across * wide - 1, height: Math.ceil(channels / across) * high - 1});
  const image = new ImageData(small.width, small.height);
  for (let k = 0; k < channels * height * width; k++) {
    const row = Math.floor(k / width), map = Math.floor(row / height);
    const at = 4 * ((Math.floor(map / across) * high + row % height) * small.width + map % across * wide + k % width);
    image.data.set(color(data[k], k), at);
    image.data[at + 3] = 255; // where no map is, it stays transparent
  }
  pen(small).putImageData(image, 0, 0);
  Object.assign(canvas, {width: small.width * zoom, height: small.height * zoom});
  const context = pen(canvas);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
}

/**
 * Mark a rectangle, with a light around it, so that it is seen on everything.
 * @param {HTMLCanvasElement} canvas
 * @param {number[]} box  x, y, width and height in values
 * @param {number} zoom
 */
export function mark(canvas, box, zoom) {
  const context = pen(canvas), [x, y, width, height] = box.map(value => value * zoom);
  Object.assign(context, {strokeStyle: INK, lineWidth: 3, shadowColor: "#fff", shadowBlur: 4});
  context.strokeRect(x, y, width, height);
}
