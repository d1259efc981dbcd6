// @ts-check
// <look-inside>: the chapter's trained network on a photograph, value by value.

import {ink} from "./core/contrast.js";
import {breathe, button, choice, controls, make, menu, pen, signed} from "./core/elements.js";
import {network, next} from "./core/layered-cnn.js";
import {largest, likeliest, softmax} from "./core/layers.js";
import {enlarge, INK, mark, short, surface} from "./core/maps.js";
import {Playground} from "./core/playground.js";
import {factors, field, gradient, sum, window} from "./look-inside/value.js";

/** @typedef {import("./core/layered-cnn.js").Output} Output */

const NAMES = ["the photograph", "stage 1", "pool 1", "stage 2", "pool 2", "stage 3"], COLORS = ["Red", "Green", "Blue"];
const LAST = 5, ANSWER = 6, ZOOM = 10, WIDE = 640, HIGH = 80;

/** @param {import("./core/safetensors.js").Tensor} tensor  bytes of a text */
const lines = tensor => new TextDecoder().decode(tensor.data).split("\n");
/** @type {(canvas: HTMLCanvasElement, caption: string) => HTMLElement} */
const figure = (canvas, caption) => {
  canvas.ariaLabel = caption;
  return make("figure", {}, canvas, make("figcaption", {}, caption));
};
/**
 * From a share of all maps' width to a value, gaps left out.
 * @type {(share: number, count: number, size: number) => number}
 */
const along = (share, count, size) => {
  const at = share * (count - 1 / (size + 1)), map = Math.floor(at);
  return map * size + Math.min(size - 1, Math.floor((at - map) * (size + 1)));
};
/** @param {number[] | Float32Array} values */
const scale = values => signed(largest(values.map(Math.abs)));

/**
 * A square of numbers, each on the color that it has in a map.
 * @param {number[]} numbers
 * @param {((k: number) => void)=} onclick
 */
function table(numbers, onclick) {
  const color = scale(numbers), element = make("div", {className: "numbers"}, ...numbers.map((value, k) => {
    const shade = color(value).map(Math.round), cell = onclick ? button(short(value), () => onclick(k)) : make("span", {}, short(value));
    cell.style.background = `rgb(${shade})`;
    cell.style.color = ink(shade);
    return cell;
  }));
  element.style.gridTemplateColumns = `repeat(${Math.sqrt(numbers.length)}, 1fr)`;
  return element;
}

class LookInside extends Playground {
  /** What is looked at: the number of a layer, 1 for the first. @type {number} */
  level;
  /** @type {import("./look-inside/value.js").Place} */
  place;
  /** What each channel below adds to the value; no channels below a pooling. @type {number[]} */
  parts;
  /** @type {number} */
  bias;
  /** The channel below that is shown. @type {number} */
  picked;
  picture = make("canvas", {role: "img"});
  reach = make("canvas", {role: "img"});
  total = make("p");
  detail = make("div", {className: "detail"});
  /** What each layer puts out; nothing until the first photograph is through. @type {Output[] | undefined} */
  outputs;

  /** @param {import("./core/safetensors.js").File} file */
  async start({tensors}) {
    const {data, shape: [, , side]} = tensors.photographs, size = 3 * side * side;
    this.layers = network(tensors, side);
    await breathe();
    this.side = side;
    this.classes = lines(tensors.classes);
    const titles = lines(tensors.titles);
    this.photographs = titles.map((_, n) => data.subarray(n * size, (n + 1) * size));

    this.photo = menu("Photograph", titles.map((title, n) => [`${n}`, title]), n => this.bring(this.photographs[+n]));
    this.layer = choice("Layer", NAMES.slice(1).map(name => [name, name]), name => this.strongest(NAMES.indexOf(name)));
    this.maps = surface("", (x, y) => {
      const {across, down, height, width} = this.grid;
      this.visit(along(x, across, width), along(y, down, height));
    }, (right, down) => this.visit(this.grid.x + right, this.grid.y + down));
    this.bars = surface("What each channel adds",
      x => this.pick(Math.floor(x * this.parts.length)), right => this.pick(this.picked + right));
    this.answers = this.classes.map((_, channel) => button("", () => this.go(ANSWER, channel)));
    this.stage.append(
      controls(this.photo.element, button("Your photograph…", () => import("./core/own-photograph.js").then(
        ({ask}) => ask(side, pixels => this.bring(pixels), text => this.said(text)), () => this.missing())), this.layer.element),
      figure(this.picture, "The value sees what lies in the square."),
      figure(this.reach, "The gradient: the redder, the more a pixel matters."),
      make("div", {className: "maps"}, figure(this.maps, "All maps of the layer. Click, or use arrow keys.")),
      controls("The answer:", ...this.answers),
      make("div", {className: "sum"}, this.total, this.bars, this.detail));
  }

  /** @param {import("./core/state.js").State} state */
  async restore(state) {
    /** @type {(name: string, end: number, first?: number) => number} */
    const whole = (name, end, first = 0) =>
      Math.min(end - 1, Math.max(0, Math.floor(Number(state[name] ?? first)) || 0));
    const photo = whole("photo", this.photographs.length);
    if (!await this.take(this.photographs[photo])) return;
    const level = whole("layer", ANSWER + 1, LAST) || LAST, [channels, height, width] = this.outputs[level].shape;
    /** @type {[number, number, number]} */
    const place = "channel" in state ? [whole("channel", channels), whole("row", height), whole("column", width)] : this.peak(level);
    this.look(level, ...place);
  }

  /**
   * Show pixels, and run the network on them, in slices; false if others come meanwhile.
   * @param {ArrayLike<number>} pixels  (3, side, side), from 0 to 255
   */
  async take(pixels) {
    const {side, file: {tensors: {mean, std}}} = this, data = Float32Array.from(pixels, (value, k) => {
      const color = Math.floor(k / (side * side));
      return (value / 255 - mean.data[color]) / std.data[color];
    });
    this.pixels = pixels;
    this.photo.value = `${this.photographs.indexOf(/** @type {any} */ (pixels))}`;
    this.refresh();
    /** @type {Output[]} */
    const outputs = [{shape: [3, side, side], data, sums: data}];
    for (const layer of this.layers) {
      await breathe();
      if (this.pixels !== pixels) return false;
      outputs.push(next(layer, outputs[outputs.length - 1]));
    }
    this.outputs = outputs;
    return true;
  }

  /** @param {ArrayLike<number>} pixels */
  async bring(pixels) {
    if (await this.take(pixels)) this.strongest(this.level);
  }

  /**
   * Where the largest value of a layer stands.
   * @param {number} level
   * @returns {[channel: number, row: number, column: number]}
   */
  peak(level) {
    const {shape: [, height, width], data} = this.outputs[level], at = likeliest(data);
    return [Math.floor(at / (height * width)), Math.floor(at / width) % height, at % width];
  }

  /** @param {number} level */
  strongest(level) {
    this.go(level, ...this.peak(level));
  }

  /**
   * Look at a value, say what it is, and keep it in the address.
   * @param {number} level
   * @param {number} channel
   */
  async go(level, channel, row = 0, column = 0) {
    if (!await this.look(level, channel, row, column)) return;
    this.said(this.words);
    const photo = +this.photo.value;
    this.saveState({...photo > 0 && {photo}, layer: level, ...this.place});
  }

  /**
   * Show a value with its sum, and then its gradient; false if another value is looked at meanwhile.
   * @param {number} level
   * @param {number} channel
   * @param {number} row
   * @param {number} column
   */
  async look(level, channel, row, column) {
    const {layers, outputs, side} = this, area = side * side, place = {channel, row, column};
    Object.assign(this, {level, place, ...sum(layers[level - 1], outputs[level - 1], place)});
    this.picked = this.parts.length ? likeliest(this.parts.map(Math.abs)) : channel;
    const {size, step, start} = field(layers, level);
    const [x, y] = [column, row].map(at => [Math.max(0, start + at * step), Math.min(side, start + at * step + size)]);
    this.box = [x[0], y[0], x[1] - x[0], y[1] - y[0]]; // what of the field lies on the photograph
    this.refresh();
    await breathe();
    if (this.place !== place) return false;
    const slopes = gradient(layers, outputs, level, place);
    // Over the three colors, the length of the gradient.
    this.strength = Array.from({length: area}, (_, k) => Math.hypot(slopes[k], slopes[area + k], slopes[2 * area + k]));
    this.refresh();
    return true;
  }

  /** @param {number} channel */
  pick(channel) {
    this.picked = Math.min(this.parts.length - 1, Math.max(0, channel));
    if (this.parts.length) this.said(`${this.added}.`);
    this.refresh();
  }

  /** The maps that are shown, their size, and where the value stands, in values without gaps. */
  get grid() {
    const level = Math.min(this.level, LAST), [channels, height, width] = this.outputs[level].shape, across = channels > 16 ? 8 : 4;
    const {channel, row, column} = this.level > LAST ? {channel: this.picked, row: 0, column: 0} : this.place;
    const x = channel % across * width + column, y = Math.floor(channel / across) * height + row;
    return {level, across, down: Math.ceil(channels / across), height, width, x, y};
  }

  /**
   * @param {number} x  in values, without gaps
   * @param {number} y
   */
  visit(x, y) {
    const {level, across, down, height, width} = this.grid;
    if (x < 0 || y < 0 || x >= across * width || y >= down * height) return;
    this.go(level, Math.floor(y / height) * across + Math.floor(x / width), y % height, x % width);
  }

  /** What the picked channel adds, in words. */
  get added() {
    const {level, picked, parts} = this;
    return `${level > 1 ? `Channel ${picked}` : COLORS[picked]} adds ${short(parts[picked])}`;
  }

  /** What is looked at, in words. */
  get words() {
    const {level, strength, place: {channel, row, column}} = this;
    const {shape: [, height, width], data} = this.outputs[level], {size} = field(this.layers, level);
    const what = level === ANSWER ? `The logit of ${this.classes[channel]}` : `In ${NAMES[level]}, channel ${channel}, row ${row}, column ${column}`;
    return `${what}: ${short(data[(channel * height + row) * width + column])}. By the formula it sees ${size} × ${size} pixels; `
      + `at ${strength.filter(Boolean).length} of them the gradient is not zero.`;
  }

  *draw() {
    if (!this.strength) return;
    yield this.drawPixels();
    yield this.drawMaps();
    yield this.drawSum();
    yield this.showNumbers();
  }

  drawPixels() {
    const {side, pixels, strength, box} = this, area = side * side, shape = [1, side, side];
    enlarge(this.picture, {shape, data: pixels}, ZOOM, (red, k) => [red, pixels[area + k], pixels[2 * area + k]]);
    enlarge(this.reach, {shape, data: strength}, ZOOM, scale(strength));
    mark(this.picture, box, ZOOM);
    mark(this.reach, box, ZOOM);
  }

  drawMaps() {
    const {level, across, x, y, width, height} = this.grid, maps = this.outputs[level], zoom = Math.floor(WIDE / across / (width + 1));
    this.layer.value = NAMES[this.level];
    enlarge(this.maps, maps, zoom, scale(maps.data), across);
    mark(this.maps, [x + Math.floor(x / width), y + Math.floor(y / height), ...this.level > LAST ? [width, height] : [1, 1]], zoom);
    softmax(this.outputs[ANSWER].data).forEach((share, k) => {
      this.answers[k].textContent = `${this.classes[k]} ${Math.round(100 * share)}%`;
      this.answers[k].setAttribute("aria-pressed", `${this.level > LAST && this.place.channel === k}`);
    });
  }

  /** The sum that made the value: a bar for each channel. */
  drawSum() {
    const {parts, bias, level, bars, picked} = this, n = parts.length;
    const together = parts.reduce((all, part) => all + part, 0), most = largest(parts.map(Math.abs)) || 1;
    bars.hidden = !n;
    Object.assign(bars, {width: WIDE, height: HIGH});
    parts.forEach((part, k) => {
      const high = part / most * (HIGH / 2 - 4), context = pen(bars);
      context.fillStyle = k === picked ? INK : part < 0 ? "steelblue" : "indianred";
      context.fillRect(k * WIDE / n + 1, HIGH / 2 - Math.max(0, high), WIDE / n - 2, Math.abs(high) + 1);
    });
    this.total.textContent = !n ? "The largest of four passes."
      : `The ${n} channels of ${NAMES[level - 1]} add ${short(together)}, and the bias ${short(bias)}: ${short(together + bias)}.`
        + (level > LAST ? "" : together + bias > 0 ? " It passes the ReLU." : " The ReLU makes 0 of it.");
  }

  /** What the picked channel adds, in numbers. */
  showNumbers() {
    const {parts, level, picked, place} = this, n = parts.length, layer = this.layers[level - 1], below = this.outputs[level - 1];
    const {values, weights} = factors(layer, below, place, picked), all = values.map((value, k) => value * weights[k]), isSmall = level < ANSWER;
    this.detail.replaceChildren(
      make("p", {}, (n ? `${this.added}${isSmall ? ", values × weights = products" : `: the mean of its map times ${short(weights[0] * weights.length)}`}. ` : "")
        + (level > 1 ? "Click a value to go to it." : "")),
      table(values, level > 1 ? k => {
        const at = window(layer, below, place)[k], width = below.shape[2];
        if (at >= 0) this.go(level - 1, picked, Math.floor(at / width), at % width);
      } : undefined),
      ...n && isSmall ? ["×", table(weights), "=", table(all)] : []);
  }
}

customElements.define("look-inside", LookInside);
