// @ts-check
// The page's multi-layer perceptron: forward, and back from a logit to the pixels.

import {relu} from "../core/layers.js";
import {linear, linearBack} from "../core/linear.js";

/** @typedef {{hidden: Float32Array[], logits: Float32Array}} Answer */

export class Network {
  /** @param {import("../core/safetensors.js").File} file  weights under the names of `dlbook.models.mlp.MLP` */
  constructor({tensors}) {
    const numbers = Object.keys(tensors).map(name => Number(/^layers\.(\d+)\.weight$/.exec(name)?.[1] ?? NaN));
    this.layers = numbers.filter(number => number >= 0).sort((a, b) => a - b)
      .map(number => ({weight: tensors[`layers.${number}.weight`], bias: tensors[`layers.${number}.bias`]}));
    this.mean = tensors.mean.data[0];
    this.std = tensors.std.data[0];
    this.temperature = tensors.temperature.data[0];
  }

  /**
   * Read an image: what each hidden layer holds, and the logits.
   * @param {ArrayLike<number>} image  gray levels from 0 to 255
   * @returns {Answer}
   */
  read(image) {
    let values = Float32Array.from(image, level => (level - this.mean) / this.std);
    const hidden = [];
    for (const {weight, bias} of this.layers.slice(0, -1)) hidden.push(values = relu(linear(values, weight, bias)));
    const {weight, bias} = this.layers[this.layers.length - 1];
    return {hidden, logits: linear(values, weight, bias)};
  }

  /**
   * How a logit changes with each pixel's gray level, by backpropagation.
   * @param {Answer} answer  to the image
   * @param {number} digit
   */
  slopes({hidden, logits}, digit) {
    let gradient = Float32Array.from(logits, (_, k) => k === digit ? 1 : 0);
    for (let k = this.layers.length - 1; k >= 0; k--) {
      gradient = linearBack(gradient, this.layers[k].weight);
      if (k) gradient = gradient.map((slope, unit) => hidden[k - 1][unit] > 0 ? slope : 0);
    }
    return gradient.map(slope => slope / this.std);
  }
}
