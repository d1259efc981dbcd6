// @ts-check
// Trains the layers where they do not keep the page waiting.

import {shuffled} from "../core/random.js";
import {fit, logits} from "./probe.js";

/**
 * @typedef {"trained" | "random" | "pixels"} Kind  of features
 * @typedef {{count: number, draw: number}} Setting  photographs of each flower, and which
 * @typedef {Record<Kind, Uint8Array>} Answers  the flower that each layer sees in each test photograph
 * @typedef {Record<string, import("../core/safetensors.js").Tensor>} Tensors
 */

/**
 * The photographs of a draw. More of the same draw are these, and others after them.
 * @param {ArrayLike<number>} labels  of the photographs that there are, 0 and up
 * @param {Setting} setting
 * @returns {number[]}
 */
export function drawn(labels, {count, draw}) {
  const order = shuffled(labels.length, draw), classes = Math.max(...Array.from(labels)) + 1;
  return Array.from({length: classes}, (_, c) => order.filter(k => labels[k] === c).slice(0, count)).flat();
}

/**
 * Some photographs' features of a kind, as rows.
 * @param {import("../core/safetensors.js").Tensor} features  (features, photographs): those to learn from, then those to test on
 * @param {number[]} chosen
 */
export function rowsOf({shape: [features, photographs], data}, chosen) {
  return Float64Array.from({length: chosen.length * features}, (_, at) =>
    data[at % features * photographs + chosen[Math.floor(at / features)]]);
}

/**
 * Train a layer, and return its logits for all test photographs.
 * @param {Tensors} tensors  as the page saved them
 * @param {Kind} kind
 * @param {Setting} setting
 */
export function trained(tensors, kind, setting) {
  const {train_labels: {data: labels}, test_labels: {data: {length}}} = tensors, chosen = drawn(labels, setting);
  const classes = Math.max(...Array.from(labels)) + 1, own = chosen.map(k => labels[k]);
  const layer = fit(rowsOf(tensors[kind], chosen), own, classes, tensors[`${kind}.decay`].data[0]);
  const test = rowsOf(tensors[kind], Array.from({length}, (_, k) => labels.length + k));
  return logits(layer, test, classes);
}

/** @param {Tensors} tensors  @param {Kind[]} kinds  @param {Setting} setting */
function answers(tensors, kinds, setting) {
  const {length} = tensors.test_labels.data;
  return Object.fromEntries(kinds.map(kind => {
    const z = trained(tensors, kind, setting), classes = z.length / length;
    return [kind, Uint8Array.from({length}, (_, n) => {
      const row = z.subarray(n * classes, (n + 1) * classes);
      return row.indexOf(Math.max(...row));
    })];
  }));
}

/** @type {{tensors: Tensors, kinds: Kind[]}} */
let saved;
if (typeof window === "undefined") {
  addEventListener("message", ({data: {setting, ...rest}}) => {
    if (setting) postMessage({setting, answers: answers(saved.tensors, saved.kinds, setting)});
    else saved = rest;
  });
}
