// @ts-check
// Runs the networks where they do not keep the page waiting.

import {answer, networks} from "./networks.js";
import {scene} from "./scene.js";

/** @typedef {import("./networks.js").Answer} Answer */

/** @type {Record<string, import("../core/layers.js").Weights>} */
let tensors;
/** @type {import("./networks.js").Network[]} */
let all;
/** @type {ArrayLike<number>} */
let pixels;
/** What they say to the photograph as it is. @type {Answer[]} */
let still;

/** @param {import("./scene.js").Change} change */
function answers(change) {
  const {mean, std, photographs: {shape: [, , side]}} = tensors, area = side * side;
  const seen = scene(pixels, side, change, Array.from(mean.data, value => 255 * value));
  const image = seen.map((value, k) => {
    const color = Math.floor(k / area);
    return (value / 255 - mean.data[color]) / std.data[color];
  });
  return all.map(network => answer(network, image, side));
}

addEventListener("message", ({data}) => {
  if (data.tensors) {
    ({tensors} = data);
    all = networks(tensors, tensors.photographs.shape[2]);
  } else if (data.pixels) {
    ({pixels} = data);
    still = answers({right: 0, down: 0, x: 0, y: 0, square: 0});
  } else {
    postMessage({brought: data.brought, still, answers: answers(data.change)});
  }
});
