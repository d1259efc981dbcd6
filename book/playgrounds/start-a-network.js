// @ts-check
// <start-a-network>: two ways to draw the first weights of the same deep network, the size of their signals by layer,
// and how the two train, side by side.

import {chart, decades} from "./core/chart.js";
import {button, controls, make, menu, percent, slider} from "./core/elements.js";
import {Playground} from "./core/playground.js";
import {ACTIVATIONS, SCHEMES, predicted} from "./start-a-network/schemes.js";

/** @typedef {{forward: number[], backward: number[]}} Signal */

const FIRST = {yours: "kaiming", rival: "pytorch_default", activation: "relu", width: 48, depth: 20, rate: "0.003", seed: 0};
const INPUTS = 784, STEPS = 150, GUESSING = Math.log(10), RATES = ["0.003", "0.01", "0.03"];

/** @param {Record<string, {title: string}>} entries @returns {[string, string][]} */
const titles = entries => Object.entries(entries).map(([key, {title}]) => [key, title]);

/** One of the two networks: its scheme, its worker, and what that has found. */
class Side {
  /** @type {Signal | undefined} */
  signal;
  /** @type {number[]} */
  losses = [];
  /** @type {number | undefined} */
  accuracy;
  /** @type {Worker | undefined} */
  #worker;

  /**
   * @param {string} color
   * @param {StartANetwork} home  hears when something has been found
   */
  constructor(color, home) {
    this.color = color;
    this.home = home;
  }

  /** Give up what is being computed, and ask for something else. @param {object} request */
  ask(request) {
    this.stop();
    this.#worker = this.home.employ(new URL("./start-a-network/worker.js", import.meta.url));
    this.#worker.onmessage = ({data: {signal, progress}}) => {
      if (signal) this.signal = signal;
      if (progress) this.losses.push(progress.loss);
      if (progress?.accuracy !== undefined) this.accuracy = progress.accuracy;
      this.home.heard();
    };
    this.#worker.postMessage({tensors: this.home.file.tensors});
    this.#worker.postMessage({request});
  }

  stop() {
    this.#worker?.terminate();
  }
}

class StartANetwork extends Playground {
  seed = 0;
  training = false;
  /** @type {Signal[]} */
  formula = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  pause;
  sides = ["yours", "rival"].map(name => new Side(name, this));
  schemes = ["Yours", "Rival"].map(name => menu(name, titles(SCHEMES), () => this.change()));
  activation = menu("Activation", titles(ACTIVATIONS), () => this.change());
  width = slider("Width", {min: 8, max: 96, step: 8}, () => this.change(), value => `${value} units`);
  depth = slider("Depth", {min: 2, max: 30, step: 1}, () => this.change(), value => `${value} layers`);
  rate = menu("Step size", RATES.map(rate => [rate, rate]), () => this.change());
  go = button("Train both", () => this.train());
  forwardChart = chart("The mean square of each layer's sums", "Signal forward: mean square", "hidden layer");
  backwardChart = chart("The mean square of the gradient at each layer", "Gradient back: mean square", "hidden layer");
  lossChart = chart("The loss at each step", "Loss (dotted: guessing)", "step");

  start() {
    this.schemes.forEach(({element}, k) => element.prepend(make("span", {className: `dot ${this.sides[k].color}`})));
    this.stage.append(
      controls(...this.schemes.map(({element}) => element), this.activation.element),
      controls(this.width.element, this.depth.element, button("Draw anew", () => { this.seed++; this.change(); })),
      make("div", {className: "charts"}, this.forwardChart.element, this.backwardChart.element, this.lossChart.element),
      controls(this.go, this.rate.element, make("small", {}, "Lines: the formula. Dots: this draw, on 32 digits.")),
    );
  }

  disconnectedCallback() {
    for (const side of this.sides) side.stop();
  }

  /** @param {import("./core/playground.js").State} state */
  restore(state) {
    const {yours, rival, activation, width, depth, rate, seed} = {...FIRST, ...state};
    [yours, rival].forEach((key, k) => (this.schemes[k].value = key in SCHEMES ? key : FIRST.yours));
    this.activation.value = activation in ACTIVATIONS ? activation : FIRST.activation;
    this.rate.value = RATES.includes(rate) ? rate : FIRST.rate;
    this.width.value = Number(width) || FIRST.width;
    this.depth.value = Number(depth) || FIRST.depth;
    this.seed = Math.max(0, Math.floor(Number(seed) || 0));
    this.change();
  }

  /** Something was set: forget what was found, show the formula at once, and measure when the reader pauses. */
  change() {
    this.training = false;
    for (const side of this.sides) {
      side.stop();
      Object.assign(side, {signal: undefined, losses: [], accuracy: undefined});
    }
    clearTimeout(this.pause);
    this.pause = setTimeout(() => this.sides.forEach((side, k) => side.ask(this.settings(k))), 150);
    this.formula = this.sides.map((_, k) => predicted(this.settings(k), INPUTS));
    const state = {yours: this.schemes[0].value, rival: this.schemes[1].value, activation: this.activation.value,
      width: this.width.value, depth: this.depth.value, rate: this.rate.value, seed: this.seed};
    this.saveState(Object.fromEntries(Object.entries(state).filter(([name, value]) => value !== /** @type {any} */ (FIRST)[name])));
    this.refresh();
  }

  /** @param {number} k  of the side */
  settings(k) {
    return {scheme: this.schemes[k].value, activation: this.activation.value, width: this.width.value,
      depth: this.depth.value, seed: this.seed};
  }

  train() {
    this.training = !this.training;
    this.sides.forEach((side, k) => {
      if (this.training) {
        Object.assign(side, {losses: [], accuracy: undefined});
        side.ask({...this.settings(k), rate: Number(this.rate.value)});
      } else side.stop();
    });
    this.refresh();
  }

  /** A worker has found something. */
  heard() {
    this.refresh();
    if (this.sides.every(({losses}) => losses.length === STEPS)) {
      this.training = false;
      const [yours, rival] = this.sides.map(({accuracy = 0}) => percent(accuracy));
      this.said(`After ${STEPS} steps, your network reads ${yours} of the test digits right, and the rival ${rival}.`);
    } else if (!this.training && this.sides.every(({signal}) => signal)) {
      const [yours, rival] = this.sides.map(({signal}, k) =>
        `by ${gain(this.formula[k])} according to the formula, and by ${gain(signal)} in this draw`);
      this.said(`A layer multiplies the mean square ${yours}; the rival's, ${rival}.`);
    }
  }

  *draw() {
    yield this.drawSignal("forward");
    yield this.drawSignal("backward");
    yield this.drawLosses();
    this.go.textContent = this.training ? "Stop" : "Train both";
  }

  /** @param {"forward" | "backward"} way */
  drawSignal(way) {
    const lines = this.formula.map(each => each[way]);
    const dots = this.sides.map(({signal}) => signal?.[way] ?? []);
    const {y, ticks} = decades([...lines, ...dots].flat());
    /** @param {number[]} values @returns {[number, number][]} */
    const points = values => values.map((value, layer) => [layer + 1, Math.log10(value)]);
    this[`${way}Chart`].show({x: [1, this.depth.value], y, ticks}, this.sides.flatMap(({color}, k) => [
      {kind: "line", color, points: points(lines[k])}, {kind: "dots", color, points: points(dots[k])}]));
  }

  drawLosses() {
    const guessing = {kind: /** @type {const} */ ("line"), color: "guessing",
      points: /** @type {[number, number][]} */ ([[0, GUESSING], [STEPS, GUESSING]])};
    this.lossChart.show({x: [0, STEPS], y: [0, 4], ticks: [[0, "0"], [1, "1"], [2, "2"], [3, "3"], [4, "4"]]}, [guessing,
      ...this.sides.map(({color, losses}) => ({kind: /** @type {const} */ ("line"), color,
        points: losses.map((loss, step) => /** @type {[number, number]} */ ([step + 1, loss]))}))]);
  }
}

/** The factor a layer, over all of them. @param {Signal} signal */
function gain({forward}) {
  const factor = (forward[forward.length - 1] / forward[0]) ** (1 / (forward.length - 1));
  return Number.isFinite(factor) ? factor.toFixed(2) : "0";
}

customElements.define("start-a-network", StartANetwork);
