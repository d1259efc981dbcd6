// @ts-check
// The chapter's two decoders, with the weights that its run trained.

import {linear, sigmoid, silu} from "../core/linear.js";

/** @typedef {import("../core/safetensors.js").Tensor} Tensor */

/**
 * The decoders, from codes of 32 numbers to images of 784 pixels, 0 for black and 1 for white. The linear one may
 * leave that range. The page has merged each batch normalization with the layer before it, and added the mean
 * image to the linear decoder's bias.
 * @param {Record<string, Tensor>} tensors
 * @returns {Record<"linear" | "deep", (code: ArrayLike<number>) => Float32Array>}
 */
export function decoders(tensors) {
  /** @type {(name: string) => (x: ArrayLike<number>) => Float32Array} */
  const layer = name => x => linear(x, tensors[`${name}.weight`], tensors[`${name}.bias`]);
  const [first, second, last] = ["deep.0", "deep.1", "deep.2"].map(layer);
  return {
    linear: layer("linear"),
    deep: code => sigmoid(last(silu(second(silu(first(code)))))),
  };
}
