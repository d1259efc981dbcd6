// @ts-check
// How the first weights are drawn, and what that does to the size of the numbers in a deep network.

/**
 * @typedef {object} Scheme
 * @property {string} title
 * @property {(n: number, m: number) => number} variance  of a weight, from fan-in and fan-out
 * @property {boolean} [normal]  drawn from a bell curve, and not evenly between two bounds
 * @property {boolean} [biases]  drawn as PyTorch does, evenly within ±1/√n, and not 0
 */

/** @typedef {{scheme: string, activation: string, width: number, depth: number}} Settings  width and number of the hidden layers */

/** @type {Record<string, Scheme>} */
export const SCHEMES = {
  zeros: {title: "zeros", variance: () => 0},
  uniform_half: {title: "uniform(±0.5)", variance: () => 1 / 12},
  uniform_fan_in: {title: "uniform(±1/√n)", variance: n => 1 / (3 * n)},
  normal_fan_in: {title: "normal(1/√n)", variance: n => 1 / n, normal: true},
  xavier: {title: "Xavier", variance: (n, m) => 2 / (n + m)},
  kaiming: {title: "Kaiming", variance: n => 2 / n, normal: true},
  pytorch_default: {title: "PyTorch default", variance: n => 1 / (3 * n), biases: true},
};

/** @type {Record<string, {title: string, value: (z: number) => number, slope: (z: number) => number}>} */
export const ACTIVATIONS = {
  relu: {title: "ReLU", value: z => (z > 0 ? z : 0), slope: z => (z > 0 ? 1 : 0)},
  leaky: {title: "leaky ReLU (0.2)", value: z => (z > 0 ? z : 0.2 * z), slope: z => (z > 0 ? 1 : 0.2)},
  tanh: {title: "tanh", value: Math.tanh, slope: z => 1 - Math.tanh(z) ** 2},
  none: {title: "none", value: z => z, slope: () => 1},
};

// A bell curve from -6 to 6 in 480 narrow strips: the middle of each, and its share.
const MIDDLES = Array.from({length: 480}, (_, k) => (k + 0.5) / 40 - 6);
const SHARES = MIDDLES.map(z => Math.exp(-z * z / 2) / 40 / Math.sqrt(2 * Math.PI));

/** The mean of a function of a standard normal number. @param {(z: number) => number} of */
const expected = of => MIDDLES.reduce((sum, z, k) => sum + SHARES[k] * of(z), 0);

/**
 * The mean squares that the formula gives before any weight is drawn: of the sums of each hidden layer, and of the
 * gradient at them, which is measured in that of the last hidden layer.
 *
 * A layer multiplies the mean square by n σ², times what the activation lets through: one half for a ReLU, and for
 * another activation its average over a bell curve as wide as the signal.
 * @param {Settings} settings
 * @param {number} inputs  pixels of an image, whose mean square is 1
 */
export function predicted({scheme, activation, width, depth}, inputs) {
  const {variance, biases} = SCHEMES[scheme], {value, slope} = ACTIVATIONS[activation];
  /** @param {number} n */
  const ofBias = n => (biases ? 1 / (3 * n) : 0);
  const forward = [inputs * variance(inputs, width) + ofBias(inputs)], backward = [1];
  /** @param {number} square  of the sums @param {(z: number) => number} part  of the activation */
  const factor = (square, part) => width * variance(width, width) * expected(z => part(Math.sqrt(square) * z) ** 2);
  for (let k = 1; k < depth; k++) forward.push(factor(forward[k - 1], value) + ofBias(width));
  for (let k = depth - 2; k >= 0; k--) backward.unshift(backward[0] * factor(forward[k], slope));
  return {forward, backward};
}
