// @ts-check
// From strokes of a pen to an image as MNIST's were made: fitted into 20 by 20 pixels, and moved so that the ink's
// center of mass lies in the middle of 28 by 28 (LeCun et al., 1998).
//
// Strokes and not pixels are scaled, so the line has the width of MNIST's, however large somebody draws.

export const SIDE = 28;
const BOX = 20, CENTER = 14;
// Half the width of the line, in pixels; the tests redraw MNIST's digits with it.
export const PEN = 1.2;
// The characters of 64 steps of a coordinate in an address.
const STEPS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-";

/** @typedef {{x: number, y: number}} Point */
/** @typedef {Point[]} Stroke  where the pen went while it was down, in any unit; y points down */

/**
 * Draw strokes as an image (28, 28) of gray levels from 0 to 255, white on black.
 * @param {Stroke[]} strokes
 */
export function toImage(strokes) {
  const points = strokes.flat();
  if (!points.length) return new Float32Array(SIDE * SIDE);
  let left = Infinity, top = Infinity, right = -Infinity, bottom = -Infinity;
  for (const {x, y} of points) {
    left = Math.min(left, x), right = Math.max(right, x);
    top = Math.min(top, y), bottom = Math.max(bottom, y);
  }
  const extent = Math.max(right - left, bottom - top), scale = extent ? (BOX - 2 * PEN) / extent : 0;
  const margin = (SIDE - BOX) / 2 + PEN - 0.5;
  const fitted = moved(strokes, ({x, y}) => ({x: margin + (x - left) * scale, y: margin + (y - top) * scale}));
  const center = centerOfMass(drawn(fitted));
  return drawn(moved(fitted, ({x, y}) => ({x: x + CENTER - center.x, y: y + CENTER - center.y})));
}

/**
 * @param {Stroke[]} strokes
 * @param {(point: Point) => Point} to
 */
const moved = (strokes, to) => strokes.map(stroke => stroke.map(to));

/**
 * Draw strokes whose unit is the pixel; a pixel is as bright as the pen covers it, to a soft edge of one pixel.
 * @param {Stroke[]} strokes
 */
function drawn(strokes) {
  const image = new Float32Array(SIDE * SIDE), reach = PEN + 0.5;
  for (const stroke of strokes) {
    for (let k = 0; k < Math.max(1, stroke.length - 1); k++) {
      const a = stroke[k], b = stroke[k + 1] ?? a;
      const [left, right] = span(a.x, b.x, reach), [top, bottom] = span(a.y, b.y, reach);
      for (let y = top; y <= bottom; y++) {
        for (let x = left; x <= right; x++) {
          const covered = Math.min(1, Math.max(0, reach - distance(x, y, a, b)));
          image[y * SIDE + x] = Math.max(image[y * SIDE + x], 255 * covered);
        }
      }
    }
  }
  return image;
}

/**
 * The pixels between two coordinates and a reach beyond, as far as the image has them.
 * @param {number} a
 * @param {number} b
 * @param {number} reach
 */
function span(a, b, reach) {
  return [Math.max(0, Math.ceil(Math.min(a, b) - reach)), Math.min(SIDE - 1, Math.floor(Math.max(a, b) + reach))];
}

/**
 * The distance of a place from the straight line between two points.
 * @param {number} x
 * @param {number} y
 * @param {Point} a
 * @param {Point} b
 */
function distance(x, y, a, b) {
  const dx = b.x - a.x, dy = b.y - a.y, squared = dx * dx + dy * dy;
  const along = squared ? Math.min(1, Math.max(0, ((x - a.x) * dx + (y - a.y) * dy) / squared)) : 0;
  return Math.hypot(x - a.x - along * dx, y - a.y - along * dy);
}

/**
 * @param {Float32Array} image
 * @returns {Point}
 */
function centerOfMass(image) {
  let mass = 0, x = 0, y = 0;
  image.forEach((value, at) => {
    mass += value;
    x += value * (at % SIDE);
    y += value * Math.floor(at / SIDE);
  });
  return {x: x / mass, y: y / mass};
}

/**
 * Strokes as text for an address; a coordinate from 0 to 1 becomes one of 64 steps.
 * @param {Stroke[]} strokes
 */
export function written(strokes) {
  /** @param {number} value */
  const step = value => STEPS[Math.round(63 * Math.min(1, Math.max(0, value)))];
  return strokes.map(stroke => stroke.map(({x, y}) => step(x) + step(y))
    .filter((point, k, all) => point !== all[k - 1]).join("")).join(".");
}

/**
 * The strokes that `written` gave; what is no such text is left out.
 * @param {string} text
 * @returns {Stroke[]}
 */
export function read(text) {
  return text.split(".").map(stroke => (stroke.match(/[\w-]{2}/g) ?? [])
    .map(([x, y]) => ({x: STEPS.indexOf(x) / 63, y: STEPS.indexOf(y) / 63}))).filter(stroke => stroke.length);
}
