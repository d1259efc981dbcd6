// @ts-check
// What would keep the page waiting: to measure the signal of a network, and to train it. One network at a time.

import {atRest, backward, crossEntropy, drawn, forward, gradients, meanSquare, step} from "./network.js";
import {generator} from "../core/random.js";

/**
 * @typedef {{images: Float32Array, labels: Uint8Array}} Digits  (digits, pixels), standardized
 * @typedef {{train: Digits, test: Digits, pixels: number}} Data
 * @typedef {Record<string, {data: ArrayLike<number>, shape: number[]}>} Tensors  as the page saved them
 * @typedef {import("./schemes.js").Settings & {seed: number, rate?: number}} Request  with a rate: to be trained
 */

export const BATCH = 50, STEPS = 150, MOMENTUM = 0.9, CLASSES = 10;
const MEASURED = 32; // digits that the signal is measured with

/**
 * Digits whose pixels have mean 0 and mean square 1.
 * @param {Tensors} tensors
 * @returns {Data}
 */
export function standardized({train, train_labels, test, test_labels, scale}) {
  const [mean, deviation] = Array.from(scale.data);
  /** @param {Tensors[string]} images @param {Tensors[string]} labels */
  const digits = (images, labels) => ({
    images: Float32Array.from(images.data, level => (level - mean) / deviation),
    labels: Uint8Array.from(labels.data),
  });
  return {train: digits(train, train_labels), test: digits(test, test_labels), pixels: train.data.length / train_labels.data.length};
}

/**
 * A part of the digits.
 * @param {Digits} digits
 * @param {ArrayLike<number>} chosen
 */
function batch({images, labels}, chosen, pixels = images.length / labels.length) {
  const some = new Float32Array(chosen.length * pixels);
  Array.from(chosen).forEach((k, to) => some.set(images.subarray(k * pixels, (k + 1) * pixels), to * pixels));
  return {images: some, labels: Array.from(chosen, k => labels[k])};
}

/**
 * Mean squares of the sums of each hidden layer, and of the gradient there in that of the last hidden layer.
 * @param {Data} data
 * @param {Request} request
 */
export function signal({train, pixels}, request) {
  const network = drawn(request, pixels, CLASSES, request.seed);
  const {images, labels} = batch(train, Array.from({length: MEASURED}, (_, k) => k));
  const {sums} = forward(network, images), {gradient} = crossEntropy(sums[sums.length - 1], labels);
  const back = backward(network, sums, gradient).slice(0, -1).map(meanSquare), last = back[back.length - 1];
  return {forward: sums.slice(0, -1).map(meanSquare), backward: back.map(value => value / last)};
}

/**
 * Train a network; every step yields its loss, and some also the share of the test digits that are read right.
 * @param {Data} data
 * @param {Request} request
 * @returns {Generator<{step: number, loss: number, accuracy?: number}>}
 */
export function* training({train, test, pixels}, request) {
  const network = drawn(request, pixels, CLASSES, request.seed), velocity = atRest(network);
  const {uniform} = generator(request.seed);
  for (let taken = 1; taken <= STEPS; taken++) {
    const chosen = Array.from({length: BATCH}, () => Math.floor(uniform() * train.labels.length));
    const {images, labels} = batch(train, chosen), {inputs, sums} = forward(network, images);
    const {loss, gradient} = crossEntropy(sums[sums.length - 1], labels);
    step(network, gradients(network, inputs, backward(network, sums, gradient)), velocity, request.rate ?? 0, MOMENTUM);
    yield {step: taken, loss, ...(taken % 50 === 0 && {accuracy: accuracy(network, test)})};
  }
}

/** @param {import("./network.js").Network} network @param {Digits} digits */
function accuracy(network, {images, labels}) {
  const logits = forward(network, images).sums[network.weights.length - 1];
  const right = labels.filter((label, k) => {
    const row = logits.subarray(k * CLASSES, (k + 1) * CLASSES);
    return row.every((logit, c) => (c === label ? !Number.isNaN(logit) : logit < row[label]));
  });
  return right.length / labels.length;
}

/** @type {Data} */
let data;
if (typeof window === "undefined") {
  addEventListener("message", ({data: {tensors, request}}) => {
    if (tensors) data = standardized(tensors);
    else if (!request.rate) postMessage({request, signal: signal(data, request)});
    else for (const progress of training(data, request)) postMessage({request, progress});
  });
}
