// @ts-check
// The network of the chapters on layers, one layer on another, and what each puts out.

import {conv2d, maxPool, relu} from "./layers.js";

/**
 * @typedef {import("./layers.js").Weights} Weights
 * @typedef {import("./layers.js").Maps} Maps
 * @typedef {{size: number, stride: number, padding: number, weight?: Weights, bias?: Weights, hasRelu?: boolean}} Layer
 *     a convolution if it has weights, else max pooling
 * @typedef {Maps & {sums: Float32Array}} Output  values, and what they were before the ReLU
 */

/**
 * The layers of `layered_cnn`. Each normalization has become part of the convolution before it; the average with the
 * linear layer is a convolution too, as large as the map, whose weights are the same at all places.
 * @param {Record<string, Weights>} tensors  the network's state
 * @param {number} side  of the images
 * @returns {Layer[]}
 */
export function network(tensors, side) {
  /** @type {Layer[]} */
  const layers = [];
  for (let k = 1; tensors[`conv${k}.weight`]; k++) {
    const {shape, data} = tensors[`conv${k}.weight`], size = shape[3], each = data.length / shape[0];
    const [factor, shift, mean, variance] = ["weight", "bias", "running_mean", "running_var"]
      .map(name => tensors[`norm${k}.${name}`].data);
    const scale = Float64Array.from(factor, (value, o) => value / Math.sqrt(variance[o] + 1e-5));
    if (k > 1) {
      layers.push({size: 2, stride: 2, padding: 0});
      side >>= 1;
    }
    layers.push({
      size, stride: 1, padding: size >> 1, hasRelu: true,
      weight: {shape, data: Float64Array.from(data, (value, at) => value * scale[Math.floor(at / each)])},
      bias: {shape, data: Float64Array.from(shift, (value, o) => value - mean[o] * scale[o])},
    });
  }
  const {shape, data} = tensors["linear.weight"], area = side * side;
  const spread = Float64Array.from({length: data.length * area}, (_, at) => data[Math.floor(at / area)] / area);
  layers.push({size: side, stride: 1, padding: 0, weight: {shape: [...shape, side, side], data: spread}, bias: tensors["linear.bias"]});
  return layers;
}

/**
 * What a layer puts out, behind its ReLU.
 * @param {Layer} layer
 * @param {Maps} below
 * @returns {Output}
 */
export function next({size, stride, padding, weight, bias, hasRelu}, below) {
  const {shape, data} = weight ? conv2d(below, weight, bias, {stride, padding}) : maxPool(below, size, stride);
  return {shape, data: hasRelu ? relu(data) : data, sums: data};
}
