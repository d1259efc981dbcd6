// @ts-check
// The page's networks, which differ in their pooling alone, and their class maps.

import {network, next} from "../core/layered-cnn.js";
import {averagePool, conv2d, maxPool} from "../core/layers.js";

/**
 * @typedef {import("../core/layers.js").Weights} Weights
 * @typedef {import("../core/layers.js").Maps} Maps
 * @typedef {{layers: import("../core/layered-cnn.js").Layer[], pool: (maps: Maps) => Maps, weight: Weights, bias: Weights}} Network
 * @typedef {{logits: number[], maps: Maps}} Answer  what each place of the last maps adds to each logit, (classes, h, w)
 */

/** The ways to halve height and width. @type {Record<string, (maps: Maps) => Maps>} */
export const POOLINGS = {
  max: maps => maxPool(maps),
  average: maps => averagePool(maps),
  blur: maps => blurred(maxPool(maps, 2, 1)),
  stride: maps => maxPool(maps, 1, 2), // of windows of one value
};

/**
 * Blur by (1, 2, 1) / 4 along rows and columns, mirrored at the border, and keep every second value.
 * @param {Maps} maps
 * @returns {Maps}
 */
function blurred({shape: [channels, height, width], data}) {
  const rows = Math.ceil(height / 2), columns = Math.ceil(width / 2), to = new Float32Array(channels * rows * columns);
  /** Three neighbors around each value that is kept. @param {number} count @param {number} length */
  const around = (count, length) => Array.from({length: count}, (_, k) => [Math.abs(2 * k - 1), 2 * k, 2 * k + 1 < length ? 2 * k + 1 : length - 2]);
  const above = around(rows, height), beside = around(columns, width), share = [0.25, 0.5, 0.25];
  for (let c = 0, at = 0; c < channels; c++) {
    for (const three of above) {
      for (const side of beside) {
        let sum = 0;
        for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) sum += share[i] * share[j] * data[(c * height + three[i]) * width + side[j]];
        to[at++] = sum;
      }
    }
  }
  return {shape: [channels, rows, columns], data: to};
}

/**
 * The networks, in the order of the poolings.
 * @param {Record<string, Weights>} tensors  the state of each, behind its pooling's name
 * @param {number} side  of the images
 * @returns {Network[]}
 */
export function networks(tensors, side) {
  return Object.entries(POOLINGS).map(([name, pool]) => {
    const start = `${name}.`;
    const state = Object.fromEntries(Object.entries(tensors).filter(([key]) => key.startsWith(start))
      .map(([key, tensor]) => [key.slice(start.length), tensor]));
    const {"linear.weight": {shape, data}, "linear.bias": bias} = state;
    return {layers: network(state, side).slice(0, -1), pool, weight: {shape: [...shape, 1, 1], data}, bias};
  });
}

/**
 * What a network says to an image. It averages its last maps, and its linear layer adds the averages up, weighted: so
 * each place has its part in each logit, and all parts with the bias are the logit.
 * @param {Network} network
 * @param {Float32Array} data  (3, side, side), standardized
 * @param {number} side
 * @returns {Answer}
 */
export function answer({layers, pool, weight, bias}, data, side) {
  /** @type {Maps} */
  let maps = {shape: [3, side, side], data};
  for (const layer of layers) maps = layer.weight ? next(layer, maps) : pool(maps);
  const {shape, data: parts} = conv2d(maps, weight), area = shape[1] * shape[2], shares = parts.map(part => part / area);
  const logits = Array.from(bias.data, (value, c) => shares.subarray(c * area, (c + 1) * area).reduce((sum, share) => sum + share, value));
  return {logits, maps: {shape, data: shares}};
}
