// @ts-check
// <turn-the-codes>: blend two digits, turn the 32 numbers of their code, round them to few bits, and see what the page's
// two decoders draw.

import {choice, controls, grayLevel, make, menu, paint, picture, slider} from "./core/elements.js";
import {Playground} from "./core/playground.js";
import {blend, bytes, quantize, squaredError} from "./turn-the-codes/codes.js";
import {decoders} from "./turn-the-codes/decoders.js";

/** @typedef {"linear" | "deep"} Name  of an autoencoder: of its code, and of its decoder */
/** @typedef {"from" | "to"} End  of a blend */

const SIDE = 28, NUMBERS = 32, EXACT = 32;
const NAMES = /** @type {Name[]} */ (["linear", "deep"]);
const ENDS = /** @type {End[]} */ (["from", "to"]);
// What each place of the slider for bits stands for; at the last one, nothing is rounded.
const BITS = [1, 2, 3, 4, 5, 6, 7, 8, EXACT];
const FIRST = {from: 12, to: 32, blend: 0, bits: EXACT, code: /** @type {Name} */ ("deep")};
const black = grayLevel(0, 255), unit = grayLevel(0, 1);
const signed = (/** @type {number} */ number) => number.toFixed(2).replace("-", "−");

class TurnTheCodes extends Playground {
  now = {...FIRST};
  /** Which numbers of a code the reader has turned, and to what percentage of their range. */
  turned = {linear: /** @type {Map<number, number>} */ (new Map()), deep: /** @type {Map<number, number>} */ (new Map())};

  /** @param {import("./core/playground.js").File} file */
  start({tensors}) {
    this.decoders = decoders(tensors);
    const labels = Array.from(tensors.labels.data);
    this.names = labels.map((label, k) => `${label}, image ${1 + k - labels.indexOf(label)}`);
    const options = this.names.map((name, k) => /** @type {[string, string]} */ ([`${k}`, name]));
    this.menus = {
      from: menu("From", options, image => this.change({from: Number(image)})),
      to: menu("To", options, image => this.change({to: Number(image)})),
    };
    this.originals = {from: picture("The image to start from"), to: picture("The image to end at")};
    this.drawings = {linear: picture("What the linear decoder draws"), deep: picture("What the deep decoder draws")};
    this.share = slider("Blend", {min: 0, max: 100, step: 1}, share => this.change({blend: share}), share => `${share}%`);
    this.bits = slider("Bits for a number", {min: 0, max: BITS.length - 1, step: 1},
      place => this.change({bits: BITS[place]}),
      place => `${BITS[place]} (${bytes(NUMBERS, BITS[place])} bytes)`);
    this.code = choice("Whose code to turn", [["linear", "Turn the linear code"], ["deep", "Turn the deep code"]],
      code => this.change({code: code === "linear" ? "linear" : "deep"}));
    this.sliders = Array.from({length: NUMBERS}, (_, k) => make("input", {type: "range", min: 0, max: 100, step: 1,
      "aria-label": `number ${k + 1} of the code`, oninput: () => this.turn(k)}));
    // An action has ended when a control lets go.
    this.stage.addEventListener("change", () => this.tell());
    this.stage.replaceChildren(
      ...ENDS.map(end => make("div", {className: "end"}, this.menus[end].element, this.originals[end].element)),
      ...NAMES.map(name => this.drawings[name].element),
      make("div", {className: "settings"}, this.share.element, this.bits.element),
      controls(this.code.element),
      make("div", {className: "code", role: "group", "aria-label": "The code"}, ...this.sliders),
    );
  }

  /** @param {import("./core/playground.js").State} state */
  restore(state) {
    /** @param {"from" | "to" | "blend"} name  @param {number} end */
    const whole = (name, end) => {
      const value = Number(state[name] ?? FIRST[name]);
      return Number.isInteger(value) && value >= 0 && value < end ? value : FIRST[name];
    };
    this.now = {
      from: whole("from", this.names.length),
      to: whole("to", this.names.length),
      blend: whole("blend", 101),
      bits: BITS.find(bits => bits === Number(state.bits)) ?? FIRST.bits,
      code: NAMES.find(name => name === state.code) ?? FIRST.code,
    };
    for (const name of NAMES) {
      const turns = (state[name] ?? "").split(",").map(turn => turn.split("at").map(Number));
      const sound = turns.filter(([number, place]) => number >= 1 && number <= NUMBERS && number % 1 === 0 && place >= 0 && place <= 100);
      this.turned[name] = new Map(sound.map(([number, place]) => [number, place]));
    }
    this.refresh();
    this.tell();
  }

  /** @param {Partial<typeof FIRST>} part  a new blend begins without turns */
  change(part) {
    Object.assign(this.now, part);
    if (!("bits" in part || "code" in part)) for (const name of NAMES) this.turned[name].clear();
    this.keep();
  }

  /** @param {number} k  the slider that was moved */
  turn(k) {
    this.turned[this.now.code].set(k + 1, this.sliders[k].valueAsNumber);
    this.keep();
  }

  keep() {
    const set = Object.entries(this.now).filter(([name, value]) => value !== FIRST[/** @type {keyof typeof FIRST} */ (name)]);
    const turns = NAMES.filter(name => this.turned[name].size)
      .map(name => [name, Array.from(this.turned[name], ([number, place]) => `${number}at${place}`).join(",")]);
    this.saveState(Object.fromEntries([...set, ...turns]));
    this.refresh();
  }

  /** One of the images, codes or limits that the page saved. @param {string} name  @param {number} number */
  row(name, number) {
    const {data, shape} = this.file.tensors[name], size = data.length / shape[0];
    return data.subarray(number * size, (number + 1) * size);
  }

  /** A code as it stands: blended, then turned, then rounded. @param {Name} name */
  codeOf(name) {
    const {from, to, blend: share, bits} = this.now;
    const [low, high] = [0, 1].map(end => this.row(`${name}.limits`, end));
    const code = blend(this.row(`${name}.codes`, from), this.row(`${name}.codes`, to), share / 100);
    for (const [number, place] of this.turned[name]) {
      code[number - 1] = low[number - 1] + place / 100 * (high[number - 1] - low[number - 1]);
    }
    return quantize(code, low, high, bits);
  }

  /** The image that a drawing is meant to be, if it is meant to be one. @param {Name} name */
  target(name) {
    const {from, to, blend: share} = this.now;
    if (this.turned[name].size || share % 100) return null;
    return Float32Array.from(this.row("images", share ? to : from), level => level / 255);
  }

  *draw() {
    yield this.showSettings();
    for (const name of NAMES) yield this.drawDecoded(name);
    yield this.showCode();
  }

  showSettings() {
    const {blend: share, bits, code} = this.now;
    for (const end of ENDS) {
      this.menus[end].value = `${this.now[end]}`;
      paint(this.originals[end].canvas, this.row("images", this.now[end]), SIDE, black);
      this.originals[end].canvas.setAttribute("aria-label", `A ${this.names[this.now[end]]}`);
    }
    this.share.value = share;
    this.bits.value = BITS.indexOf(bits);
    this.code.value = code;
  }

  /** @param {Name} name */
  drawDecoded(name) {
    const image = this.decoders[name](this.codeOf(name)), target = this.target(name);
    paint(this.drawings[name].canvas, image, SIDE, unit);
    this.drawings[name].caption.textContent = `${name} decoder${target ? `, error ${squaredError(image, target).toFixed(4)}` : ""}`;
  }

  /** Put the sliders where the numbers of the chosen code are. */
  showCode() {
    const name = this.now.code, code = this.codeOf(name), [low, high] = [0, 1].map(end => this.row(`${name}.limits`, end));
    this.sliders.forEach((slider, k) => {
      slider.value = `${100 * (code[k] - low[k]) / (high[k] - low[k])}`;
      slider.setAttribute("aria-valuetext", signed(code[k]));
      slider.classList.toggle("turned", this.turned[name].has(k + 1));
    });
  }

  /** Say what is drawn, and what the bits cost on average, for all validation images. */
  tell() {
    const {bits} = this.now, place = BITS.indexOf(bits);
    const [linear, deep] = NAMES.map(name => this.file.tensors[`${name}.errors`].data);
    const exact = `${linear[BITS.length - 1].toFixed(4)} with the linear decoder and ${deep[BITS.length - 1].toFixed(4)} with the deep one`;
    const cost = bits === EXACT ? `Over all validation images, and with codes that are not rounded, the error is ${exact}.`
      : `With ${bits} ${bits === 1 ? "bit" : "bits"} for a number, a digit takes ${bytes(NUMBERS, bits)} bytes. Over all validation images, the error is `
        + `${linear[place].toFixed(4)} with the linear decoder and ${deep[place].toFixed(4)} with the deep one; not rounded, `
        + `${linear[BITS.length - 1].toFixed(4)} and ${deep[BITS.length - 1].toFixed(4)}.`;
    this.said(`${this.drawn()} ${cost}`);
  }

  /** What the decoders draw, in words. */
  drawn() {
    const {from, to, blend: share} = this.now, [start, end] = [from, to].map(image => this.names[image]);
    const turns = NAMES.filter(name => this.turned[name].size)
      .map(name => `; numbers of the ${name} code that are turned: ${this.turned[name].size}`);
    return `Drawn: ${share === 0 ? start : share === 100 ? end : `${share}% of the way from ${start} to ${end}`}${turns.join("")}.`;
  }
}

customElements.define("turn-the-codes", TurnTheCodes);
