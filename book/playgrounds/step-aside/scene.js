// @ts-check
// What the reader makes of a photograph: moved by whole pixels, and covered in part.

import {conv2d, relu} from "../core/layers.js";

/** @typedef {{right: number, down: number, x: number, y: number, square: number}} Change  x, y: the square's upper left corner */

/** An index beyond an end, mirrored at it; the end itself is not repeated. @param {number} k @param {number} length */
const mirrored = (k, length) => (k < 0 ? -k : k < length ? k : 2 * length - 2 - k);

/**
 * A photograph moved, with a mirror image entering at the edge, and a square of one color on it, which stays in its place.
 * @param {ArrayLike<number>} pixels  (3, side, side)
 * @param {number} side
 * @param {Change} change
 * @param {ArrayLike<number>} color  of the square
 */
export function scene(pixels, side, {right, down, x, y, square}, color) {
  return Float32Array.from(pixels, (_, k) => {
    const channel = Math.floor(k / (side * side)), row = Math.floor(k / side) % side, column = k % side;
    if (row >= y && row < y + square && column >= x && column < x + square) return color[channel];
    return pixels[(channel * side + mirrored(row - down, side)) * side + mirrored(column - right, side)];
  });
}

const EDGE = {shape: [1, 1, 4, 4], data: Array.from({length: 16}, (_, k) => (k % 4 < 2 ? -1 : 1) / 8)};

/** The gray levels of a photograph, from 0 to 1. @param {ArrayLike<number>} pixels  (3, side, side) @param {number} area */
export const grays = (pixels, area) => Float32Array.from({length: area}, (_, k) =>
  (0.299 * pixels[k] + 0.587 * pixels[area + k] + 0.114 * pixels[2 * area + k]) / 255);

/**
 * The page's map of edges, bright on the right, cut to an even size.
 * @param {Float32Array} data  gray levels, (side, side)
 * @param {number} side
 * @returns {import("../core/layers.js").Maps}
 */
export function edges(data, side) {
  const {shape: [, height, width], data: response} = conv2d({shape: [1, side, side], data}, EDGE);
  const rows = height - height % 2, columns = width - width % 2;
  const kept = relu(response).filter((_, k) => k % width < columns && k < rows * width);
  return {shape: [1, rows, columns], data: kept};
}
