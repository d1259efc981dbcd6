// @ts-check
// What the page does with OpenCV's `filter2D`: a 3×3 kernel slides over a gray image that is mirrored at its border.

/** @typedef {{levels: ArrayLike<number>, width: number, height: number}} Photo  gray levels row by row, 0 to 255 */

/**
 * The response of a kernel at each pixel, as `cv2.filter2D(image, cv2.CV_64F, kernel)` computes it.
 * @param {Photo} photo
 * @param {number[]} kernel  nine weights, row by row
 */
export function crossCorrelate({levels, width, height}, kernel) {
  const out = new Float32Array(width * height), [a, b, c, d, e, f, g, h, i] = kernel;
  for (let y = 0, at = 0; y < height; y++) {
    const above = mirrored(y - 1, height) * width, row = y * width, below = mirrored(y + 1, height) * width;
    for (let x = 0; x < width; x++, at++) {
      const left = mirrored(x - 1, width), right = mirrored(x + 1, width);
      out[at] =
        a * levels[above + left] + b * levels[above + x] + c * levels[above + right] +
        d * levels[row + left] + e * levels[row + x] + f * levels[row + right] +
        g * levels[below + left] + h * levels[below + x] + i * levels[below + right];
    }
  }
  return out;
}

/** @param {number} index  from -1 to the length, into a row that is mirrored at both ends @param {number} length */
const mirrored = (index, length) => (length === 1 ? 0 : index < 0 ? 1 : index < length ? index : length - 2);

/** The nine gray levels that a kernel sees. @param {Photo} photo @param {number} x @param {number} y */
export const windowAt = ({levels, width, height}, x, y) => Array.from({length: 9}, (_, k) =>
  levels[mirrored(y + Math.floor(k / 3) - 1, height) * width + mirrored(x + k % 3 - 1, width)]);

/**
 * How much a kernel multiplies a wave of these frequencies, in radians a pixel.
 * @param {number[]} kernel @param {number} omegaX @param {number} omegaY
 */
export function gain(kernel, omegaX, omegaY) {
  let real = 0, imaginary = 0;
  for (let k = 0; k < 9; k++) {
    const angle = omegaX * (k % 3 - 1) + omegaY * (Math.floor(k / 3) - 1);
    real += kernel[k] * Math.cos(angle);
    imaginary += kernel[k] * Math.sin(angle);
  }
  return Math.hypot(real, imaginary);
}

/**
 * The gains of all waves, slow ones in the middle and the fastest, π radians a pixel, at the rim: (size, size).
 * @param {number[]} kernel @param {number} size
 */
export function frequencyResponse(kernel, size) {
  const omega = Array.from({length: size}, (_, k) => Math.PI * (2 * k / (size - 1) - 1));
  return omega.flatMap(y => omega.map(x => gain(kernel, x, y)));
}

// The outer weights, clockwise.
const RING = [0, 1, 2, 5, 8, 7, 6, 3];

/** Move the outer weights by one place, counterclockwise around the center. @param {number[]} kernel */
export const turned = kernel => kernel.map((weight, k) => (k === 4 ? weight : kernel[RING[(RING.indexOf(k) + 1) % 8]]));

/** Exchange rows and columns. @param {number[]} kernel */
export const transposed = kernel => kernel.map((_, k) => kernel[3 * (k % 3) + Math.floor(k / 3)]);

/** Gray levels of RGBA pixels, weighted as ITU-R BT.601 has it. @param {Uint8ClampedArray} rgba */
export function gray(rgba) {
  const levels = new Uint8Array(rgba.length / 4);
  for (let k = 0, at = 0; k < levels.length; k++, at += 4) {
    levels[k] = 0.299 * rgba[at] + 0.587 * rgba[at + 1] + 0.114 * rgba[at + 2] + 0.5;
  }
  return levels;
}

/**
 * Rings that lie closer and closer: at each place, a wave of the frequency that `frequencyResponse` has there.
 * @param {number} size
 * @returns {Photo}
 */
export function rings(size) {
  const levels = new Uint8Array(size * size), middle = (size - 1) / 2;
  for (let k = 0; k < levels.length; k++) {
    const square = (k % size - middle) ** 2 + (Math.floor(k / size) - middle) ** 2;
    levels[k] = 127.5 * (1 + Math.cos(Math.PI / size * square)) + 0.5;
  }
  return {levels, width: size, height: size};
}
