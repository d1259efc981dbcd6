// @ts-check
// What the chapter does with a code: blend it with another, and round each of its numbers.

/**
 * The code that lies a share of the way from one to another.
 * @param {ArrayLike<number>} from
 * @param {ArrayLike<number>} to
 * @param {number} share  from 0 to 1
 */
export const blend = (from, to, share) => Float32Array.from(from, (number, k) => number + share * (to[k] - number));

/**
 * Round each number of a code to one of 2^bits levels, evenly spaced between its own limits.
 * @param {ArrayLike<number>} code
 * @param {ArrayLike<number>} low  the smallest value that each number took on the training images
 * @param {ArrayLike<number>} high  the largest
 * @param {number} bits  32: nothing is rounded
 */
export function quantize(code, low, high, bits) {
  if (bits >= 32) return Float32Array.from(code);
  const steps = 2 ** bits - 1;
  return Float32Array.from(code, (number, k) => {
    const step = (high[k] - low[k]) / steps;
    return low[k] + Math.min(steps, Math.max(0, Math.round((number - low[k]) / step))) * step;
  });
}

/**
 * How many bytes a code takes.
 * @param {number} numbers
 * @param {number} bits  for each
 */
export const bytes = (numbers, bits) => numbers * bits / 8;

/**
 * The mean of the squared differences.
 * @param {ArrayLike<number>} image
 * @param {ArrayLike<number>} target
 */
export function squaredError(image, target) {
  let sum = 0;
  for (let k = 0; k < image.length; k++) sum += (image[k] - target[k]) ** 2;
  return sum / image.length;
}
