// @ts-check
// What a value in a network is made of, and which pixels reach it.

/**
 * @typedef {import("../core/layers.js").Maps} Maps
 * @typedef {import("../core/layered-cnn.js").Layer} Layer
 * @typedef {import("../core/layered-cnn.js").Output} Output
 * @typedef {{channel: number, row: number, column: number}} Place  of a value in its layer
 */

/**
 * What a value reads in each map of the layer below, row by row: the places' indices in a map; -1 in the padding.
 * @param {Layer} layer
 * @param {Maps} below
 * @param {{row: number, column: number}} place
 */
export function window({size, stride, padding}, {shape: [, height, width]}, place) {
  const top = place.row * stride - padding, left = place.column * stride - padding, places = [];
  for (let row = top; row < top + size; row++) {
    for (let column = left; column < left + size; column++) {
      places.push(row < 0 || column < 0 || row >= height || column >= width ? -1 : row * width + column);
    }
  }
  return places;
}

/**
 * What a value reads in one channel below, zeros in the padding, and the weights; no weights in a pooling.
 * @param {Layer} layer
 * @param {Maps} below
 * @param {Place} place
 * @param {number} channel  below
 */
export function factors(layer, {shape, data}, place, channel) {
  const values = window(layer, {shape, data}, place).map(at => at < 0 ? 0 : data[channel * shape[1] * shape[2] + at]);
  const first = (place.channel * shape[0] + channel) * values.length;
  return {values, weights: layer.weight ? values.map((_, k) => layer.weight.data[first + k]) : []};
}

/**
 * What each channel of the layer below adds to a value, before the ReLU, and what is added at last; nothing below a
 * pooling.
 * @param {Layer} layer
 * @param {Maps} below
 * @param {Place} place
 * @returns {{parts: number[], bias: number}}
 */
export function sum(layer, below, place) {
  const parts = Array.from({length: layer.weight ? below.shape[0] : 0}, (_, channel) => {
    const {values, weights} = factors(layer, below, place, channel);
    return values.reduce((total, value, k) => total + value * weights[k], 0);
  });
  return {parts, bias: layer.bias?.data[place.channel] ?? 0};
}

/**
 * The gradient of a value before its ReLU with respect to every number of the image: (3, H, W).
 * @param {Layer[]} layers
 * @param {Output[]} outputs
 * @param {number} level  of the value, 1 for the first layer
 * @param {Place} place
 */
export function gradient(layers, outputs, level, place) {
  const [, height, width] = outputs[level].shape;
  let slopes = new Float64Array(outputs[level].data.length);
  slopes[(place.channel * height + place.row) * width + place.column] = 1;
  for (let k = level; k > 0; k--) {
    const layer = layers[k - 1], below = outputs[k - 1], [, rows, columns] = outputs[k].shape;
    const [channels, h, w] = below.shape, sent = new Float64Array(below.data.length), weights = layer.weight?.data;
    slopes.forEach((slope, from) => {
      if (!slope || (k < level && layer.hasRelu && outputs[k].sums[from] <= 0)) return; // the ReLU lets nothing pass
      const filter = Math.floor(from / (rows * columns)), row = Math.floor(from / columns) % rows;
      const places = window(layer, below, {row, column: from % columns}), count = places.length;
      if (!weights) { // the maximum passes on one value, the first of several
        const map = below.data.subarray(filter * h * w), best = places.reduce((so, at) => map[at] > map[so] ? at : so);
        sent[filter * h * w + best] += slope;
        return;
      }
      for (let c = 0, at = filter * channels * count; c < channels; c++) {
        for (let n = 0; n < count; n++, at++) if (places[n] >= 0) sent[c * h * w + places[n]] += slope * weights[at];
      }
    });
    slopes = sent;
  }
  return slopes;
}

/**
 * The receptive field along one axis: side and step in pixels, and the first pixel that value 0 sees.
 * @param {Layer[]} layers
 * @param {number} level
 */
export function field(layers, level) {
  let size = 1, step = 1, start = 0;
  for (const layer of layers.slice(0, level)) {
    size += (layer.size - 1) * step;
    start -= layer.padding * step;
    step *= layer.stride;
  }
  return {size, step, start};
}
