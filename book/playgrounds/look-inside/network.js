// @ts-check
// The chapter's network, one layer on another: what each puts out, what a value is made of, and which pixels reach it.

import {conv2d, linear, maxPool} from "../core/layers.js";

/**
 * @typedef {import("../core/layers.js").Weights} Weights
 * @typedef {import("../core/layers.js").Maps} Maps
 * @typedef {{size: number, stride: number, padding: number, weight?: Weights, bias?: Weights}} Layer  a convolution if
 *     it has weights, else max pooling; the last one has size 0: an average of each map, and a linear layer
 * @typedef {Maps & {sums: Float32Array}} Output  values, and what they were before the ReLU
 * @typedef {{channel: number, row: number, column: number}} Place  of a value in its layer
 */

/**
 * The layers of `layered_cnn`; each normalization has become part of the convolution before it.
 * @param {Record<string, Weights>} tensors  the network's state
 * @returns {Layer[]}
 */
export function network(tensors) {
  /** @type {Layer[]} */
  const layers = [];
  for (let k = 1; tensors[`conv${k}.weight`]; k++) {
    const {shape, data} = tensors[`conv${k}.weight`], size = shape[3], each = data.length / shape[0];
    const [factor, shift, mean, variance] = ["weight", "bias", "running_mean", "running_var"]
      .map(name => tensors[`norm${k}.${name}`].data);
    const scale = Float64Array.from(factor, (value, o) => value / Math.sqrt(variance[o] + 1e-5));
    if (k > 1) layers.push({size: 2, stride: 2, padding: 0});
    layers.push({
      size, stride: 1, padding: size >> 1,
      weight: {shape, data: Float64Array.from(data, (value, at) => value * scale[Math.floor(at / each)])},
      bias: {shape: [shape[0]], data: Float64Array.from(shift, (value, o) => value - mean[o] * scale[o])},
    });
  }
  layers.push({size: 0, stride: 1, padding: 0, weight: tensors["linear.weight"], bias: tensors["linear.bias"]});
  return layers;
}

/**
 * What a layer puts out, behind its ReLU.
 * @param {Layer} layer
 * @param {Maps} below
 * @returns {Output}
 */
export function next({size, stride, padding, weight, bias}, below) {
  if (!weight) {
    const maps = maxPool(below, size, stride);
    return {...maps, sums: maps.data};
  }
  if (!size) {
    const data = linear(means(below), weight, bias);
    return {shape: [data.length, 1, 1], data, sums: data};
  }
  const {shape, data} = conv2d(below, weight, bias, {stride, padding});
  return {shape, data: data.map(value => Math.max(0, value)), sums: data};
}

/**
 * The mean of each map.
 * @param {Maps} maps
 */
export function means({shape: [channels, height, width], data}) {
  const area = height * width;
  return Array.from({length: channels}, (_, c) => data.subarray(c * area, (c + 1) * area).reduce((sum, value) => sum + value, 0) / area);
}

/**
 * The window of a value: the places that it reads in each map of the layer below, row by row.
 * @param {Layer} layer
 * @param {Maps} below
 * @param {Place} place
 * @returns {{row: number, column: number, at: number}[]}  `at`: the index in the first map; -1 in the padding
 */
export function window({size, stride, padding}, {shape: [, height, width]}, place) {
  return Array.from({length: size * size}, (_, k) => {
    const row = place.row * stride + Math.floor(k / size) - padding, column = place.column * stride + k % size - padding;
    return {row, column, at: row < 0 || column < 0 || row >= height || column >= width ? -1 : row * width + column};
  });
}

/**
 * What one channel of the layer below adds to a value, number by number; zeros stand for the padding.
 * @param {Layer} layer  not the last
 * @param {Output} below
 * @param {Place} place
 * @param {number} part  the channel
 * @returns {{values: number[], weights: number[]}}
 */
export function products(layer, below, place, part) {
  const {shape: [channels, height, width], data} = below, area = layer.size ** 2;
  const values = window(layer, below, place).map(({at}) => at < 0 ? 0 : data[part * height * width + at]);
  const from = (place.channel * channels + part) * area;
  return {values, weights: layer.weight ? Array.from({length: area}, (_, k) => layer.weight.data[from + k]) : []};
}

/**
 * What each channel of the layer below adds to a value, before the ReLU, and what is added at last.
 * @param {Layer} layer  not a pooling
 * @param {Output} below
 * @param {Place} place
 * @returns {{parts: number[], bias: number}}
 */
export function sum(layer, below, place) {
  const channels = below.shape[0];
  const parts = Array.from({length: channels}, (_, part) => {
    if (!layer.size) return means(below)[part] * layer.weight.data[place.channel * channels + part];
    const {values, weights} = products(layer, below, place, part);
    return values.reduce((total, value, k) => total + value * weights[k], 0);
  });
  return {parts, bias: layer.bias.data[place.channel]};
}

/**
 * The gradient of a value before its ReLU with respect to every number of the image: (3, H, W).
 * @param {Layer[]} layers
 * @param {Output[]} outputs
 * @param {number} level  of the value, 1 for the first layer
 * @param {Place} place
 */
export function gradient(layers, outputs, level, place) {
  const {shape: [, height, width], sums} = outputs[level];
  let slopes = new Float64Array(sums.length);
  slopes[(place.channel * height + place.row) * width + place.column] = 1;
  for (let k = level; k > 0; k--) {
    slopes = back(layers[k - 1], outputs[k - 1], outputs[k], slopes);
    const below = outputs[k - 1].sums;
    if (k > 1 && layers[k - 2].weight) slopes.forEach((_, at) => { if (below[at] <= 0) slopes[at] = 0; }); // a ReLU
  }
  return slopes;
}

/**
 * Send slopes through one layer, from above to below.
 * @param {Layer} layer
 * @param {Maps} below
 * @param {Maps} above
 * @param {Float64Array} slopes
 */
function back(layer, below, above, slopes) {
  const {size, weight} = layer, [filters, rows, columns] = above.shape, [channels, height, width] = below.shape;
  const area = height * width, sent = new Float64Array(channels * area);
  for (let o = 0, from = 0; o < filters; o++) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++, from++) {
        const slope = slopes[from];
        if (!slope) continue;
        if (!size) for (let at = 0; at < sent.length; at++) sent[at] += slope * weight.data[o * channels + Math.floor(at / area)] / area;
        else if (weight) spread(slope, o, row, column);
        else sent[o * area + winner(below, layer, {channel: o, row, column})] += slope;
      }
    }
  }
  return sent;

  /**
   * @param {number} slope
   * @param {number} o
   * @param {number} row
   * @param {number} column
   */
  function spread(slope, o, row, column) {
    const top = row - layer.padding, left = column - layer.padding, w = weight.data;
    const first = Math.max(0, -left), end = Math.min(size, width - left);
    for (let c = 0; c < channels; c++) {
      for (let y = Math.max(0, -top); y < Math.min(size, height - top); y++) {
        const to = c * area + (top + y) * width + left, at = ((o * channels + c) * size + y) * size;
        for (let x = first; x < end; x++) sent[to + x] += slope * w[at + x];
      }
    }
  }
}

/**
 * Which value of its window the maximum passes on, the first of several: its index in the map.
 * @param {Maps} below
 * @param {Layer} layer
 * @param {Place} place
 */
function winner(below, layer, place) {
  const map = below.data.subarray(place.channel * below.shape[1] * below.shape[2]);
  return window(layer, below, place).reduce((best, {at}) => best < 0 || map[at] > map[best] ? at : best, -1);
}

/**
 * The receptive field along one axis: side and step in pixels, and the first pixel that value 0 sees.
 * @param {Layer[]} layers
 * @param {number} level
 * @param {number} length  of the image
 */
export function field(layers, level, length) {
  let size = 1, step = 1, start = 0;
  for (const layer of layers.slice(0, level)) {
    if (!layer.size) return {size: length, step: length, start: 0};
    size += (layer.size - 1) * step;
    start -= layer.padding * step;
    step *= layer.stride;
  }
  return {size, step, start};
}
