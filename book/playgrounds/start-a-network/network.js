// @ts-check
// A network of linear layers for a batch of images: its first weights, the way forward, the way back, and one step.

import {generator} from "../core/random.js";
import {ACTIVATIONS, SCHEMES} from "./schemes.js";

/**
 * @typedef {object} Network
 * @property {number[]} sizes  values of an image, units of each hidden layer, logits
 * @property {string} activation  behind every layer but the last
 * @property {Float32Array[]} weights  of each layer (outputs, inputs), row by row
 * @property {Float32Array[]} biases  of each layer (outputs)
 */

/**
 * Draw the weights of a network; the same seed draws the same.
 * @param {import("./schemes.js").Settings} settings
 * @param {number} inputs  pixels of an image
 * @param {number} classes
 * @param {number} seed
 * @returns {Network}
 */
export function drawn({scheme, activation, width, depth}, inputs, classes, seed) {
  const {variance, normal, biases: random} = SCHEMES[scheme], draw = generator(seed);
  const sizes = [inputs, ...Array(depth).fill(width), classes];
  const weights = [], biases = [];
  for (let layer = 1; layer < sizes.length; layer++) {
    const n = sizes[layer - 1], m = sizes[layer], deviation = Math.sqrt(variance(n, m));
    /** @param {number} bound */
    const within = bound => (2 * draw.uniform() - 1) * bound;
    weights.push(new Float32Array(n * m).map(() => (normal ? deviation * draw.normal() : within(deviation * Math.sqrt(3)))));
    biases.push(new Float32Array(m).map(() => (random ? within(1 / Math.sqrt(n)) : 0)));
  }
  return {sizes, activation, weights, biases};
}

/**
 * Rows times rows: all dot products of the rows of two matrices. Two rows of the first meet four of the second at a
 * time, so that each number is read from memory less often.
 * @param {Float32Array} a  (rows, inner)
 * @param {Float32Array} b  (columns, inner)
 * @param {number} inner
 * @returns {Float32Array}  (rows, columns)
 */
export function products(a, b, inner) {
  const rows = a.length / inner, columns = b.length / inner, out = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i += 2) {
    const a0 = i * inner, a1 = i + 1 < rows ? a0 + inner : a0;
    for (let j = 0; j < columns; j += 4) {
      const b0 = j * inner, [b1, b2, b3] = [1, 2, 3].map(more => (j + more < columns ? b0 + more * inner : b0));
      let p0 = 0, p1 = 0, p2 = 0, p3 = 0, q0 = 0, q1 = 0, q2 = 0, q3 = 0;
      for (let k = 0; k < inner; k++) {
        const p = a[a0 + k], q = a[a1 + k], c0 = b[b0 + k], c1 = b[b1 + k], c2 = b[b2 + k], c3 = b[b3 + k];
        p0 += p * c0; p1 += p * c1; p2 += p * c2; p3 += p * c3;
        q0 += q * c0; q1 += q * c1; q2 += q * c2; q3 += q * c3;
      }
      const wide = Math.min(4, columns - j), to = i * columns + j;
      out.set([p0, p1, p2, p3].slice(0, wide), to);
      if (i + 1 < rows) out.set([q0, q1, q2, q3].slice(0, wide), to + columns);
    }
  }
  return out;
}

/** @param {Float32Array} matrix  (rows, columns) @param {number} columns */
function transposed(matrix, columns) {
  const rows = matrix.length / columns, out = new Float32Array(matrix.length);
  for (let i = 0, at = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = matrix[at++];
  return out;
}

/**
 * What each layer gets and what it puts out before its activation; the last sums are the logits.
 * @param {Network} network
 * @param {Float32Array} images  (images, values)
 */
export function forward({sizes, activation, weights, biases}, images) {
  const {value} = ACTIVATIONS[activation], inputs = [images], sums = [];
  for (let layer = 0; layer < weights.length; layer++) {
    const z = products(inputs[layer], weights[layer], sizes[layer]), bias = biases[layer];
    for (let at = 0; at < z.length; at++) z[at] += bias[at % bias.length];
    sums.push(z);
    if (layer < weights.length - 1) inputs.push(z.map(value));
  }
  return {inputs, sums};
}

/**
 * The mean cross-entropy of logits, and its gradient.
 * @param {Float32Array} logits  (images, classes)
 * @param {ArrayLike<number>} labels
 */
export function crossEntropy(logits, labels) {
  const count = labels.length, classes = logits.length / count, gradient = new Float32Array(logits.length);
  let loss = 0;
  for (let i = 0; i < count; i++) {
    const row = logits.subarray(i * classes, (i + 1) * classes), largest = Math.max(...row);
    const powers = Array.from(row, logit => Math.exp(logit - largest)), total = powers.reduce((a, b) => a + b);
    loss += (Math.log(total) + largest - row[labels[i]]) / count;
    powers.forEach((power, c) => (gradient[i * classes + c] = (power / total - Number(c === labels[i])) / count));
  }
  return {loss, gradient};
}

/**
 * The gradient of the loss at the sums of each layer, from the last layer back to the first.
 * @param {Network} network
 * @param {Float32Array[]} sums  of `forward`
 * @param {Float32Array} last  the gradient at the logits
 */
export function backward({sizes, activation, weights}, sums, last) {
  const {slope} = ACTIVATIONS[activation], gradients = [last];
  for (let layer = weights.length - 1; layer > 0; layer--) {
    const back = products(gradients[0], transposed(weights[layer], sizes[layer]), sizes[layer + 1]);
    const z = sums[layer - 1];
    gradients.unshift(back.map((value, at) => value * slope(z[at])));
  }
  return gradients;
}

/**
 * The gradients of weights and biases, from what came in and the gradient at the sums.
 * @param {Network} network
 * @param {Float32Array[]} inputs  of `forward`
 * @param {Float32Array[]} atSums  of `backward`
 */
export function gradients({sizes}, inputs, atSums) {
  const weights = atSums.map((gradient, layer) =>
    products(transposed(gradient, sizes[layer + 1]), transposed(inputs[layer], sizes[layer]), gradient.length / sizes[layer + 1]));
  const biases = atSums.map((gradient, layer) => {
    const sum = new Float32Array(sizes[layer + 1]);
    gradient.forEach((value, at) => (sum[at % sum.length] += value));
    return sum;
  });
  return {weights, biases};
}

/**
 * One step of gradient descent with momentum, as `torch.optim.SGD` takes it: v ← μ v + g, w ← w − η v.
 * @param {Network} network  changed in place
 * @param {{weights: Float32Array[], biases: Float32Array[]}} slopes
 * @param {{weights: Float32Array[], biases: Float32Array[]}} velocity  changed in place; zeros at first
 * @param {number} rate
 * @param {number} momentum
 */
export function step(network, slopes, velocity, rate, momentum) {
  for (const kind of /** @type {const} */ (["weights", "biases"])) {
    network[kind].forEach((values, layer) => {
      const v = velocity[kind][layer], g = slopes[kind][layer];
      for (let at = 0; at < values.length; at++) {
        v[at] = momentum * v[at] + g[at];
        values[at] -= rate * v[at];
      }
    });
  }
}

/** No velocity yet. @param {Network} network */
export const atRest = ({weights, biases}) => ({
  weights: weights.map(({length}) => new Float32Array(length)),
  biases: biases.map(({length}) => new Float32Array(length)),
});

/** The mean square of numbers. @param {Float32Array} values */
export const meanSquare = values => values.reduce((sum, value) => sum + value * value, 0) / values.length;
