// @ts-check
// <look-inside>: the chapter's trained network on a photograph, value by value.

import {breathe, button, choice, controls, make, menu, pen, signed} from "./core/elements.js";
import {largest, likeliest, softmax} from "./core/layers.js";
import {enlarge, INK, mark, mosaic, short, surface} from "./core/maps.js";
import {Playground} from "./core/playground.js";
import {field, gradient, means, network, next, products, sum, window} from "./look-inside/network.js";
import {table} from "./look-inside/table.js";

const NAMES = ["pixels", "stage 1", "pool 1", "stage 2", "pool 2", "stage 3", "answer"], COLORS = ["Red", "Green", "Blue"];
const LAST = 5, ANSWER = 6, ACROSS = [0, 4, 4, 8, 8, 8];
const ZOOM = 10, WIDE = 640, HIGH = 80;
/** @type {import("./core/elements.js").Color} */
const GAP = [190, 190, 190];

/** @typedef {import("./look-inside/network.js").Output} Output */

/** @param {import("./core/safetensors.js").Tensor} tensor  bytes of a text */
const lines = tensor => new TextDecoder().decode(/** @type {Uint8Array} */ (tensor.data)).split("\n");
/** @param {string} label */
const canvas = label => make("canvas", {role: "img", "aria-label": label});
/** @type {(picture: Node, caption: string) => HTMLElement} */
const figure = (picture, caption) => make("figure", {}, picture, make("figcaption", {}, caption));
/** @param {number[]} values */
const scale = values => signed(largest(values.map(Math.abs)));

class LookInside extends Playground {
  level = LAST;
  place = {channel: 0, row: 0, column: 0};
  /** The channel below whose share of the sum is shown. */
  picked = 0;
  /** What each channel below adds to the value. @type {number[]} */
  parts = [];
  bias = 0;
  /** What each layer puts out; nothing until the first photograph is through. @type {Output[] | undefined} */
  outputs;

  /** @param {import("./core/safetensors.js").File} file */
  start({tensors}) {
    const {data, shape: [, , side]} = tensors.photographs, titles = lines(tensors.titles), size = 3 * side * side;
    this.layers = network(tensors);
    this.side = side;
    this.mean = tensors.mean.data;
    this.std = tensors.std.data;
    this.classes = lines(tensors.classes);
    this.photographs = titles.map((_, n) => data.subarray(n * size, (n + 1) * size));

    this.photo = menu("Photograph", titles.map((title, n) => [`${n}`, title]), n => this.bring(this.photographs[Number(n)]));
    this.layer = choice("Layer", NAMES.slice(1, ANSWER).map((name, k) => [`${k + 1}`, name]), level => this.strongest(Number(level)));
    this.picture = canvas("The photograph, and a square around the pixels that the value can see");
    this.reach = canvas("How strongly the value depends on each pixel");
    this.maps = surface("All maps of the layer", "Arrow keys move from value to value.",
      (x, y) => this.point(x, y), (right, down) => this.step(right, down));
    this.bars = surface("What each channel adds to the sum", "The left and right arrow keys choose a channel.",
      x => this.open(Math.floor(x * this.parts.length)), right => this.open(this.picked + right));
    this.answers = this.classes.map((_, channel) => button("", () => this.go(ANSWER, channel)));
    this.total = make("p");
    this.detail = make("div", {className: "detail"});
    this.stage.append(
      make("p", {}, make("strong", {}, "Try this."), " Click the darkest value of stage 3, then go down, from its largest number to a pixel. "
        + "How many pixels did you pass that have no say? Then press the answer, and see which channels speak against it."),
      controls(this.photo.element, button("Your photograph…", async () => {
        const {ask} = await import("./core/photographs.js");
        ask(side, pixels => this.bring(pixels), text => this.said(text));
      }), this.layer.element),
      figure(this.picture, "The photograph. In the square: the pixels that the value can see, by the formula."),
      figure(this.reach, "The gradient: the redder a pixel, the more the value depends on it."),
      make("div", {className: "maps"}, figure(this.maps, "The layer’s maps, one a channel. Click any value, or move by arrow keys.")),
      make("div", {className: "choice", role: "group", "aria-label": "The answer"}, make("span", {className: "control"}, "The answer:"), ...this.answers),
      make("div", {className: "sum"}, this.total, this.bars, this.detail));
  }

  /** @param {import("./core/state.js").State} state */
  restore(state) {
    const whole = (/** @type {string} */ name, /** @type {number} */ end, otherwise = 0) => {
      const value = Number(state[name] ?? otherwise);
      return Number.isInteger(value) && value >= 0 && value < end ? value : otherwise;
    };
    const photo = whole("photo", this.photographs.length);
    this.photo.value = `${photo}`;
    this.take(this.photographs[photo]).then(() => {
      const level = whole("layer", NAMES.length, LAST) || LAST, [channels, height, width] = this.outputs[level].shape;
      if ("channel" in state) this.look(level, whole("channel", channels), whole("row", height), whole("column", width));
      else this.look(level, ...this.peak(level));
    });
  }

  /**
   * Show pixels, and run the network on them, in slices. The promise is kept unless others come meanwhile.
   * @param {ArrayLike<number>} pixels  (3, side, side), from 0 to 255
   * @returns {Promise<void>}
   */
  take(pixels) {
    const {side, mean, std} = this, color = (/** @type {number} */ k) => Math.floor(k / (side * side));
    const data = Float32Array.from(pixels, (value, k) => (value / 255 - mean[color(k)]) / std[color(k)]);
    this.pixels = pixels;
    enlarge(this.picture, pixels, side, ZOOM);
    return new Promise(async done => {
      /** @type {Output[]} */
      const outputs = [{shape: [3, side, side], data, sums: data}];
      for (const layer of this.layers) {
        await breathe();
        if (this.pixels !== pixels) return;
        outputs.push(next(layer, outputs[outputs.length - 1]));
      }
      this.outputs = outputs;
      done();
    });
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

  /** @param {ArrayLike<number>} pixels */
  async bring(pixels) {
    await this.take(pixels);
    this.strongest(this.level);
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
  go(level, channel, row = 0, column = 0) {
    this.look(level, channel, row, column);
    this.said(this.words);
    const photo = this.photographs.indexOf(/** @type {any} */ (this.pixels));
    this.saveState({...photo > 0 && {photo}, layer: level, ...this.place});
  }

  /**
   * @param {number} level
   * @param {number} channel
   * @param {number} row
   * @param {number} column
   */
  look(level, channel, row, column) {
    const layer = this.layers[level - 1], {side} = this, area = side * side;
    this.level = level;
    this.place = {channel, row, column};
    const {parts, bias} = layer.weight ? sum(layer, this.outputs[level - 1], this.place) : {parts: [0], bias: 0};
    Object.assign(this, {parts, bias, picked: layer.weight ? likeliest(parts.map(Math.abs)) : channel});
    const slopes = gradient(this.layers, this.outputs, level, this.place);
    // Over the three colors, the length of the gradient.
    this.strength = Array.from({length: area}, (_, k) => Math.hypot(slopes[k], slopes[area + k], slopes[2 * area + k]));
    const {size, step, start} = field(this.layers, level, side);
    const [x, y] = [column, row].map(at => [Math.max(0, start + at * step), Math.min(side, start + at * step + size)]);
    this.box = [x[0], y[0], x[1] - x[0], y[1] - y[0]]; // what of the field lies on the photograph
    this.refresh();
  }

  /** @param {number} part  a channel */
  open(part) {
    this.picked = Math.min(this.parts.length - 1, Math.max(0, part));
    this.refresh();
  }

  /** The maps that are shown, and the size of one with its gap. */
  get grid() {
    const level = Math.min(this.level, LAST), [channels, height, width] = this.outputs[level].shape;
    return {level, across: ACROSS[level], down: Math.ceil(channels / ACROSS[level]), high: height + 1, wide: width + 1};
  }

  /**
   * @param {number} x  share of the width of all maps
   * @param {number} y
   */
  point(x, y) {
    const {across, down, high, wide} = this.grid;
    this.visit(Math.floor(x * (across * wide - 1)), Math.floor(y * (down * high - 1)));
  }

  /**
   * @param {number} right
   * @param {number} down
   */
  step(right, down) {
    const {across, high, wide} = this.grid, {channel, row, column} = this.place;
    let x = channel % across * wide + column + right, y = Math.floor(channel / across) * high + row + down;
    if (x % wide === wide - 1) x += right; // over the gap
    if (y % high === high - 1) y += down;
    this.visit(x, y);
  }

  /**
   * @param {number} x  in values, gaps included
   * @param {number} y
   */
  visit(x, y) {
    const {level, across, down, high, wide} = this.grid;
    if (x < 0 || y < 0 || x >= across * wide || y >= down * high) return;
    this.go(level, Math.floor(y / high) * across + Math.floor(x / wide), Math.min(y % high, high - 2), Math.min(x % wide, wide - 2));
  }

  /** What is looked at, in words. */
  get words() {
    const {channel, row, column} = this.place, {shape: [, height, width], data} = this.outputs[this.level];
    const {size} = field(this.layers, this.level, this.side);
    const what = this.level === ANSWER ? `The logit of ${this.classes[channel]}` : `In ${NAMES[this.level]}, channel ${channel}, row ${row}, column ${column}`;
    return `${what}: ${short(data[(channel * height + row) * width + column])}. By the formula it sees ${size} × ${size} pixels, and `
      + `${this.box[2] * this.box[3]} of them are on the photograph. The gradient is not zero at ${this.strength.filter(each => each > 0).length}.`;
  }

  draw() {
    if (!this.outputs) return;
    const {level, across, high, wide} = this.grid, {channel, row, column} = this.place, {shape, data} = this.outputs[level];
    this.layer.value = `${this.level}`;
    enlarge(this.picture, this.pixels, this.side, ZOOM);
    enlarge(this.reach, this.strength, this.side, ZOOM, scale(this.strength));
    for (const picture of [this.picture, this.reach]) mark(picture, this.box, ZOOM);
    const {values, width} = mosaic({shape, data}, across), zoom = Math.floor(WIDE / width), color = signed(largest(data));
    enlarge(this.maps, values, width, zoom, value => Number.isNaN(value) ? GAP : color(value));
    const map = level === this.level ? channel : this.picked, x = map % across * wide, y = Math.floor(map / across) * high;
    mark(this.maps, level === this.level ? [x + column, y + row, 1, 1] : [x, y, wide - 1, high - 1], zoom);
    softmax(this.outputs[ANSWER].data).forEach((share, k) => {
      this.answers[k].textContent = `${this.classes[k]} ${Math.round(100 * share)}%`;
      this.answers[k].setAttribute("aria-pressed", `${this.level === ANSWER && channel === k}`);
    });
    const below = this.outputs[this.level - 1];
    this.drawSum();
    this.detail.replaceChildren(...this.level === ANSWER ? this.average(below) : this.layers[this.level - 1].weight ? this.patch(below) : this.pooled(below));
  }

  /** The sum that made the value, a bar for each channel. */
  drawSum() {
    const {parts, bias, level, bars} = this, sum = parts.reduce((all, part) => all + part, 0), n = parts.length;
    bars.hidden = !this.layers[level - 1].weight;
    this.total.textContent = bars.hidden ? "The largest of four values is passed on."
      : `The ${level > 1 ? `${n} channels of ${NAMES[level - 1]}` : "three colors"} add ${short(sum)}, and the bias ${short(bias)}: ${short(sum + bias)}.`
        + (level === ANSWER ? "" : sum + bias > 0 ? " The ReLU lets it pass." : " The ReLU makes it 0.");
    Object.assign(bars, {width: WIDE, height: HIGH});
    const context = pen(bars), most = largest(parts.map(Math.abs)) || 1;
    parts.forEach((part, k) => {
      const high = part / most * (HIGH / 2 - 4);
      context.fillStyle = k === this.picked ? INK : part < 0 ? "#4393c3" : "#d6604d";
      context.fillRect(k * WIDE / n + 1, HIGH / 2 - Math.max(0, high), WIDE / n - 2, Math.abs(high) + 1);
    });
  }

  /**
   * A channel's share of a value in a stage.
   * @param {Output} below
   */
  patch(below) {
    const {level, picked: part, place} = this, layer = this.layers[level - 1], {values, weights} = products(layer, below, place, part);
    const product = values.map((value, k) => value * weights[k]), down = level > 1;
    return [
      make("p", {}, `${down ? `Channel ${part}` : COLORS[part]} adds ${short(this.parts[part])}: values × weights = products.${down ? " Click a value to go down to it." : ""}`),
      table("Values below", values, scale(values), down ? k => this.descend(part, k) : undefined), "×",
      table("Weights", weights, scale(weights)), "=", table("Products", product, scale(product)),
    ];
  }

  /** @param {Output} below */
  pooled(below) {
    const {values} = products(this.layers[this.level - 1], below, this.place, this.place.channel);
    return [make("p", {}, "Click a value to go down to it."), table("Values below", values, scale(values), k => this.descend(this.place.channel, k))];
  }

  /**
   * A channel's share of a logit.
   * @param {Output} below
   */
  average(below) {
    const {picked: part, parts, place} = this, {shape: [, height, width], data} = below, area = height * width;
    const at = likeliest(data.subarray(part * area, (part + 1) * area)), weight = this.layers[LAST].weight.data[place.channel * parts.length + part];
    return [make("p", {}, `Channel ${part} adds ${short(parts[part])}: the mean of its map, ${short(means(below)[part])}, times the weight ${short(weight)}.`),
      button("Go to its largest value", () => this.go(LAST, part, Math.floor(at / width), at % width))];
  }

  /**
   * Go to a value of the layer below.
   * @param {number} channel
   * @param {number} k  its number in the window
   */
  descend(channel, k) {
    const {at, row, column} = window(this.layers[this.level - 1], this.outputs[this.level - 1], this.place)[k];
    if (at >= 0) this.go(this.level - 1, channel, row, column);
  }
}

customElements.define("look-inside", LookInside);
