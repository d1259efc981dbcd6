// @ts-check
// Fully connected layers, and the activations behind them.

/** @typedef {import("./layers.js").Weights} Weights */

/**
 * W x + b.
 * @param {ArrayLike<number>} x  (inputs)
 * @param {Weights} weight  (outputs, inputs)
 * @param {Weights=} bias  (outputs)
 */
export function linear(x, weight, bias) {
  const [outputs, inputs] = weight.shape, w = weight.data, y = new Float32Array(outputs);
  for (let o = 0, at = 0; o < outputs; o++) {
    let sum = bias ? bias.data[o] : 0;
    for (let i = 0; i < inputs; i++) sum += w[at++] * x[i];
    y[o] = sum;
  }
  return y;
}

/**
 * Wᵀ g: what `linear` sends back of the gradient at its outputs to its inputs.
 * @param {ArrayLike<number>} g  (outputs)
 * @param {Weights} weight  (outputs, inputs)
 */
export function linearBack(g, weight) {
  const [outputs, inputs] = weight.shape, w = weight.data, back = new Float64Array(inputs);
  for (let o = 0, at = 0; o < outputs; o++, at += inputs) {
    if (g[o]) for (let i = 0; i < inputs; i++) back[i] += g[o] * w[at + i];
  }
  return Float32Array.from(back);
}

/** @param {Float32Array} x */
export const sigmoid = x => x.map(value => 1 / (1 + Math.exp(-value)));
/** @param {Float32Array} x */
export const silu = x => x.map(value => value / (1 + Math.exp(-value)));
