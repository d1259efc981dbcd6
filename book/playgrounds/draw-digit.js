// @ts-check
// <draw-digit>: draw a digit, and the page's network reads it with every move of the pen.

import {breathe, button, controls, grayLevel, make, paint, percent, picture, signed} from "./core/elements.js";
import {largest, likeliest, softmax} from "./core/layers.js";
import {Playground} from "./core/playground.js";
import {Network} from "./draw-digit/network.js";
import {Pad} from "./draw-digit/pad.js";
import {read, SIDE, toImage, written} from "./draw-digit/strokes.js";

const PIXELS = SIDE * SIDE, DIGITS = Array.from({length: 10}, (_, digit) => digit);
const NOTE = "Calibration holds on average, over many test images; of a single scribble it says nothing. "
  + "What you draw stays on your machine.";

class DrawDigit extends Playground {
  /** Which test image is shown in place of a drawing. @type {number | null} */
  example = 0;
  /** The digit whose pixels are shown; null: the one that the network reads. @type {number | null} */
  chosen = null;

  /** @param {import("./core/playground.js").File} file */
  start(file) {
    this.network = new Network(file);
    this.labels = file.tensors.labels.data;
    this.images = file.tensors.examples.data;
    this.misread = this.judge();
    this.pad = new Pad(() => this.begin(), () => this.refresh(), () => this.end());
    this.seen = picture("The image that the network reads, 28 by 28 pixels", "what the network reads");
    this.slopes = picture("Pixels that speak for the chosen digit in red, against it in blue");
    this.units = [1, 2].map(layer =>
      picture(`The 512 units of hidden layer ${layer}; a brighter one has a larger value`, `hidden layer ${layer}, 512 units`));
    this.bars = DIGITS.map(digit => make("button", {type: "button", onclick: () => this.choose(digit)},
      make("b", {}, `${digit}`), make("span", {className: "bar"}), make("span", {className: "percent"})));
    const legend = make("p", {className: "legend"}, make("i", {className: "bar"}), "calibrated ", make("i", {className: "tick"}), "before");
    this.stage.append(
      make("div", {className: "drawing"}, this.pad.element, controls(
        button("Undo", () => this.pad.undo()), button("Clear", () => this.clear()),
        button("A test digit", () => this.another(false)), button("One it misreads", () => this.another(true)))),
      make("div", {className: "bars", role: "group",
        "aria-label": "Probabilities. Choose a digit to see which pixels speak for it."}, ...this.bars, legend),
      make("div", {className: "seen"}, this.seen.element, this.slopes.element),
      make("div", {className: "units"}, ...this.units.map(unit => unit.element)),
      make("p", {className: "note"}, NOTE),
    );
  }

  /** @param {import("./core/playground.js").State} state */
  restore({strokes, example, digit}) {
    const number = Number(example ?? 0);
    this.chosen = DIGITS.find(each => `${each}` === digit) ?? null;
    this.pad.set(strokes === undefined ? [] : read(strokes));
    this.example = strokes !== undefined ? null : this.labels[number] === undefined ? 0 : number;
    this.refresh();
    this.say();
  }

  /** A first stroke takes the place of a test digit. */
  begin() {
    this.example = null;
  }

  /** The reader has done something: say what came of it, and keep it in the address. */
  end() {
    this.refresh();
    this.say();
    this.saveState({
      ...(this.example === null ? {strokes: written(this.pad.strokes)} : this.example ? {example: this.example} : {}),
      ...(this.chosen === null ? {} : {digit: this.chosen}),
    });
  }

  clear() {
    this.example = null;
    this.pad.set([]);
    this.end();
  }

  /** Tell of each test digit whether the network misreads it; one at a time, so that the page stays free. */
  async judge() {
    const misread = [];
    for (let k = 0; k < this.labels.length; k++) {
      await breathe();
      misread.push(likeliest(this.network.read(this.exampleImage(k)).logits) !== this.labels[k]);
    }
    return misread;
  }

  /** Show the next test digit, of those that are misread or of the others. @param {boolean} misread */
  async another(misread) {
    const fit = (await this.misread).flatMap((each, k) => each === misread ? [k] : []);
    if (!fit.length) return this.said("The network misreads none of the test digits that the page chose.");
    this.pad.set([]);
    this.example = fit.find(k => k > (this.example ?? -1)) ?? fit[0];
    this.end();
  }

  /** @param {number} digit */
  choose(digit) {
    this.chosen = this.chosen === digit ? null : digit;
    this.end();
  }

  /** @param {number} k */
  exampleImage(k) {
    return this.images.subarray(k * PIXELS, (k + 1) * PIXELS);
  }

  get image() {
    return this.example === null ? toImage(this.pad.strokes) : this.exampleImage(this.example);
  }

  get empty() {
    return this.example === null && !this.pad.strokes.length;
  }

  /** Read the image, and show the answer. */
  *draw() {
    const {image} = this, answer = this.network.read(image);
    paint(this.seen.canvas, image, SIDE, grayLevel(0, 255));
    this.pad.draw(this.example === null ? null : this.seen.canvas);
    yield this.drawBars(answer);
    yield this.drawUnits(answer);
  }

  /** The hidden units, and which pixels would speak for a digit. @param {import("./draw-digit/network.js").Answer} answer */
  drawUnits(answer) {
    this.units.forEach(({canvas}, k) =>
      paint(canvas, answer.hidden[k], 64, grayLevel(0, largest(answer.hidden[k]) || 1)));
    const shown = this.chosen ?? likeliest(answer.logits), slopes = this.network.slopes(answer, shown);
    paint(this.slopes.canvas, slopes, SIDE, signed(largest(slopes.map(Math.abs))));
    this.slopes.caption.textContent = `ink here would speak for ${shown} (red) or against it (blue)`;
  }

  /** @param {import("./draw-digit/network.js").Answer} answer */
  drawBars({logits}) {
    const {empty} = this, calibrated = softmax(logits, this.network.temperature), plain = softmax(logits);
    const shown = this.chosen ?? (empty ? null : likeliest(logits));
    this.bars.forEach((bar, digit) => {
      bar.setAttribute("aria-pressed", `${digit === shown}`);
      bar.style.setProperty("--share", `${empty ? 0 : calibrated[digit]}`);
      bar.style.setProperty("--plain", `${empty ? 0 : plain[digit]}`);
      bar.lastChild.textContent = empty ? "" : percent(calibrated[digit]);
    });
  }

  /** Say in words what the network answers. */
  say() {
    if (this.empty) return this.said("Draw a digit on the black pad.");
    const {hidden, logits} = this.network.read(this.image), top = likeliest(logits);
    const open = hidden.map(units => units.filter(value => value > 0).length);
    const [after, first] = [softmax(logits, this.network.temperature), softmax(logits)].map(shares => percent(shares[top]));
    this.said(`${this.example === null ? "" : `A test digit, labeled ${this.labels[this.example]}. `}`
      + `The network reads a ${top}, with a probability of ${after}; before calibration it was ${first}. `
      + `Of its hidden units, ${open[0]} are above zero in the first layer, and ${open[1]} in the second.`);
  }
}

customElements.define("draw-digit", DrawDigit);
