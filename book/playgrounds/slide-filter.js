// @ts-check
// <slide-filter>: the four settings of a convolution layer: what one filter reads of a photograph, and the size of its map.

import {controls, grayLevel, make, pen, signed, slider} from "./core/elements.js";
import {conv2d, places} from "./core/layers.js";
import {enlarge, INK, mark, surface} from "./core/maps.js";
import {Playground} from "./core/playground.js";

const ZOOM = 10, LIMIT = 0.5;
/** @type {[name: string, min: number, max: number, first: number][]} */
const SETTINGS = [["kernel", 2, 7, 4], ["stride", 1, 4, 1], ["padding", 0, 4, 0], ["dilation", 1, 3, 1]];

/**
 * A filter that asks whether it gets brighter to the right; its answers lie between -1 and 1.
 * @param {number} size
 */
export function brighterRight(size) {
  const each = 1 / (size * Math.floor(size / 2));
  return {shape: [1, 1, size, size], data: Array.from({length: size * size}, (_, k) => each * Math.sign(k % size - (size - 1) / 2))};
}

/**
 * Along one axis: the pixels that a value reads from the first to the last, the values that come out, and the pixels
 * at the end for which no step is left.
 * @param {number} side
 * @param {{kernel: number, stride: number, padding: number, dilation: number}} setting
 */
export function sizes(side, {kernel, stride, padding, dilation}) {
  const reach = dilation * (kernel - 1) + 1;
  return {reach, out: places(side, kernel, stride, padding, dilation), left: (side + 2 * padding - reach) % stride};
}

class SlideFilter extends Playground {
  row = 0;
  column = 0;

  /** @param {import("./core/safetensors.js").File} file */
  start({tensors: {photograph}}) {
    this.side = photograph.shape[0];
    this.gray = Float32Array.from(photograph.data, value => value / 255);
    this.sliders = Object.fromEntries(SETTINGS.map(([name, min, max]) =>
      [name, slider(name, {min, max, step: 1}, () => { this.center(); this.changed(); })]));
    this.formula = make("p", {className: "formula"});
    this.input = make("canvas", {role: "img", "aria-label": "The photograph, its rim of zeros, and the pixels that the marked value reads"});
    this.output = surface("The map that comes out",
      (x, y) => this.go(Math.floor(y * this.sizes.out), Math.floor(x * this.sizes.out)),
      (right, down) => this.go(this.row + down, this.column + right));
    this.below = make("figcaption");
    this.above = make("figcaption");
    this.stage.append(
      make("p", {}, make("strong", {}, "Try this."), " Keep the size with a kernel of 5: which padding? Then halve it by a stride of 2. Which pixels does a dilation of 2 skip?"),
      controls(...Object.values(this.sliders).map(each => each.element)), this.formula,
      make("div", {className: "two"}, make("figure", {}, this.input, this.below), make("figure", {}, this.output, this.above)));
  }

  /** @param {import("./core/state.js").State} state */
  restore(state) {
    for (const [name, min, max, first] of SETTINGS) {
      const value = Number(state[name] ?? first);
      this.sliders[name].value = value >= min && value <= max ? Math.round(value) : first;
    }
    this.center();
    this.refresh();
  }

  get setting() {
    const [kernel, stride, padding, dilation] = SETTINGS.map(([name]) => this.sliders[name].value);
    return {kernel, stride, padding, dilation};
  }

  get sizes() {
    return sizes(this.side, this.setting);
  }

  center() {
    this.row = this.column = this.sizes.out >> 1;
  }

  /**
   * Mark another value.
   * @param {number} row
   * @param {number} column
   */
  go(row, column) {
    [this.row, this.column] = [row, column].map(at => Math.min(this.sizes.out - 1, Math.max(0, at)));
    this.changed();
  }

  changed() {
    const {reach, out, left} = this.sizes, {kernel, dilation} = this.setting;
    this.said(`The map has ${out} × ${out} values.`
      + (dilation > 1 ? ` With a dilation of ${dilation}, ${kernel} weights reach over ${reach} pixels, and leave out those between.` : "")
      + (left ? ` The last ${left === 1 ? "row and column are" : `${left} rows and columns are`} left over: no further step fits.` : ""));
    this.saveState(Object.fromEntries(SETTINGS.map(([name, , , first]) => [name, this.sliders[name].value, first])
      .filter(([, value, first]) => value !== first)));
    this.refresh();
  }

  *draw() {
    yield this.drawInput();
    yield this.drawOutput();
  }

  /** How many pixels wide the photograph is with its rim, and can be at most. */
  get widths() {
    return [this.side + 2 * this.setting.padding, this.side + 2 * SETTINGS[2][2]];
  }

  drawInput() {
    const {side, gray, setting: {kernel, stride, padding, dilation}, sizes: {reach, out}, widths: [wide, most]} = this;
    const padded = new Float32Array(wide * wide);
    for (let i = 0; i < side; i++) padded.set(gray.subarray(i * side, (i + 1) * side), (i + padding) * wide + padding);
    enlarge(this.input, {shape: [1, wide, wide], data: padded}, ZOOM, grayLevel(0, 1));
    const context = pen(this.input), left = this.column * stride, top = this.row * stride;
    context.fillStyle = `${INK}80`; // half transparent
    for (let k = 0; k < kernel * kernel; k++) {
      context.fillRect((left + k % kernel * dilation) * ZOOM, (top + Math.floor(k / kernel) * dilation) * ZOOM, ZOOM, ZOOM);
    }
    mark(this.input, [left, top, reach, reach], ZOOM);
    this.input.style.width = `${100 * wide / most}%`;
    this.below.textContent = `In: ${side} × ${side} pixels${padding ? `, with padding ${wide} × ${wide}` : ""}. Marked: what one value reads.`;
    this.formula.textContent = `${dilation > 1 ? `reach ${dilation} · (${kernel} − 1) + 1 = ${reach};  ` : ""}`
      + `⌊(${side} − ${reach} + 2 · ${padding}) / ${stride}⌋ + 1 = ${out}`;
  }

  drawOutput() {
    const {side, gray, setting, sizes: {out}, widths: [, most]} = this;
    const map = conv2d({shape: [1, side, side], data: gray}, brighterRight(setting.kernel), undefined, setting);
    enlarge(this.output, map, ZOOM, signed(LIMIT));
    mark(this.output, [this.column, this.row, 1, 1], ZOOM);
    this.output.style.width = `${100 * out / most}%`;
    this.above.textContent = `Out: ${out} × ${out} values, as large as the pixels. Click another one.`;
  }
}

customElements.define("slide-filter", SlideFilter);
