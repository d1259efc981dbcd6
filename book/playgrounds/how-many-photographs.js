// @ts-check
// <how-many-photographs>: linear layers learn from as many photographs as the reader likes, on three kinds of features.

import {chart} from "./core/chart.js";
import {breathe, button, choice, controls, make, percent, picture} from "./core/elements.js";
import {photographs} from "./core/photographs.js";
import {Playground} from "./core/playground.js";
import {side} from "./core/sides.js";

/**
 * @typedef {import("./how-many-photographs/worker.js").Kind} Kind
 * @typedef {import("./how-many-photographs/worker.js").Setting} Setting
 * @typedef {import("./how-many-photographs/worker.js").Answers} Answers
 * @typedef {{photograph: number, was: number, is: number}} Change  of an answer
 */

const COUNTS = [1, 2, 3, 5, 10, 20, 50], DRAWS = 20, SIDE = 40, SHOWN = 6;
const TITLES = {trained: "Trained network", random: "Random network", pixels: "Pixels"};
const KINDS = /** @type {Kind[]} */ (Object.keys(TITLES));
const FIRST = {now: {count: 10, draw: 1}, past: {count: 5, draw: 1}, kind: KINDS[0]};
const TICKS = /** @type {[number, string][]} */ ([0, 0.2, 0.4, 0.6, 0.8, 1].map(share => [share, percent(share, 0)]));
const MARKS = COUNTS.map((count, place) => /** @type {[number, string]} */ ([place, `${count}`]));

/** A setting as the address has it. @param {Setting} setting */
const keyOf = ({count, draw}) => `${count}.${draw}`;

/** @param {string | undefined} key  @param {Setting} otherwise  where the key names none */
function settingOf(key, otherwise) {
  const [count, draw] = (key ?? "").split(".").map(Number);
  return COUNTS.includes(count) && draw % 1 === 0 && draw >= 1 && draw <= DRAWS ? {count, draw} : otherwise;
}

class HowManyPhotographs extends Playground {
  now = FIRST.now;
  /** What the reader had set before, with which the answers are compared. */
  past = FIRST.past;
  kind = FIRST.kind;
  /** What has been tried. @type {Map<string, {setting: Setting, answers: Answers}>} */
  found = new Map();
  /** What is still to be tried. @type {Setting[]} */
  wishes = [];
  working = false;
  /** @type {string[]} */
  names = [];

  /** @param {import("./core/playground.js").File} file */
  async start({tensors}) {
    this.names = new TextDecoder().decode(/** @type {Uint8Array} */ (tensors.names.data)).split("\n");
    this.paint = await photographs(tensors.photographs, SIDE);
    this.worker = this.employ(new URL("./how-many-photographs/worker.js", import.meta.url));
    this.worker.addEventListener("message", ({data}) => this.heard(data));
    this.worker.postMessage({tensors, kinds: KINDS});
    await breathe();
    this.counts = choice("Photographs of each flower", COUNTS.map(count => [`${count}`, `${count}`]),
      count => this.change({...this.now, count: Number(count)}));
    this.which = make("small");
    this.sides = KINDS.map(kind => side(TITLES[kind]));
    this.sides.forEach(({element}, k) => element.classList.add(KINDS[k]));
    this.chart = chart("Test accuracy against the number of photographs, of all that was tried",
      "Test accuracy: all that you tried; lines are means", "photographs of each flower");
    this.kinds = choice("Whose changed answers to show", KINDS.map(kind => [kind, TITLES[kind]]), kind => this.choose(kind));
    this.groups = [changes("now right"), changes("now wrong")];
    this.compared = make("p");
    this.stage.replaceChildren(
      controls("Photographs of each flower", this.counts.element),
      controls(button("Other photographs", () => this.change({...this.now, draw: this.now.draw % DRAWS + 1})),
        button("Try every number", () => this.tryAll()), this.which),
      make("div", {className: "scores"}, ...this.sides.map(({element}) => element)),
      this.chart.element,
      make("div", {className: "changed"}, this.compared, this.kinds.element, ...this.groups.map(({element}) => element)),
    );
  }

  disconnectedCallback() {
    this.worker?.terminate();
  }

  /** @param {import("./core/playground.js").State} state */
  restore({now, past, kind}) {
    this.now = settingOf(now, FIRST.now);
    this.past = settingOf(past, FIRST.past);
    this.kind = KINDS.find(each => each === kind) ?? FIRST.kind;
    this.found.clear();
    this.wishes = [];
    this.work();
  }

  /** The reader has set something: compare it with what was set before. @param {Setting} setting */
  change(setting) {
    if (keyOf(setting) === keyOf(this.now)) return;
    this.past = this.now;
    this.now = setting;
    this.wishes = [];
    this.keep();
    this.work();
  }

  /** @param {string} kind */
  choose(kind) {
    this.kind = /** @type {Kind} */ (kind);
    this.keep();
    this.work();
  }

  tryAll() {
    this.wishes = COUNTS.map(count => ({...this.now, count}));
    this.work();
  }

  keep() {
    const state = {now: keyOf(this.now), past: keyOf(this.past), kind: this.kind};
    const first = {now: keyOf(FIRST.now), past: keyOf(FIRST.past), kind: FIRST.kind};
    const set = Object.entries(state).filter(([name, value]) => value !== first[/** @type {keyof typeof first} */ (name)]);
    this.saveState(Object.fromEntries(set));
  }

  /** Show what is known, and ask for what is not: one setting at a time, so that the last wish never waits long. */
  work() {
    this.refresh();
    if (this.working) return;
    const setting = [this.now, this.past, ...this.wishes].find(each => !this.found.has(keyOf(each)));
    if (setting) {
      this.working = true;
      this.worker.postMessage({setting});
    } else this.said(this.words);
  }

  /** @param {{setting: Setting, answers: Answers}} found */
  heard(found) {
    this.working = false;
    this.found.set(keyOf(found.setting), found);
    this.work();
  }

  /** How many test photographs a layer names correctly. @param {Setting} setting  @param {Kind} kind */
  hits(setting, kind) {
    const {data} = this.file.tensors.test_labels;
    return this.found.get(keyOf(setting)).answers[kind].reduce((sum, answer, k) => sum + Number(answer === data[k]), 0);
  }

  /**
   * The test photographs that the chosen layer names correctly now and did not before, and the other way around.
   * @returns {Change[][]}
   */
  get changes() {
    const [was, is] = [this.past, this.now].map(setting => this.found.get(keyOf(setting)).answers[this.kind]);
    const {data} = this.file.tensors.test_labels;
    const all = Array.from(data, (_, photograph) => ({photograph, was: was[photograph], is: is[photograph]}));
    return [all.filter(({photograph: k, was, is}) => was !== data[k] && is === data[k]),
      all.filter(({photograph: k, was, is}) => was === data[k] && is !== data[k])];
  }

  /** What was found, in words. */
  get words() {
    const {length} = this.file.tensors.test_labels.data, [right, wrong] = this.changes.map(each => each.length);
    const [trained, random, pixels] = KINDS.map(kind => percent(this.hits(this.now, kind) / length, 0));
    return `${inWords(this.now)}: with the trained network ${trained} of the test photographs are named correctly, with the random `
      + `one ${random}, and with pixels ${pixels}. Compared with ${inWords(this.past)}, ${right} answers became right and ${wrong} wrong `
      + `(${TITLES[this.kind].toLowerCase()}).`;
  }

  *draw() {
    // At first the page has enough to lay out, and there is nothing yet to compare.
    if (!this.found.size) return this.showScores();
    yield this.showScores();
    yield this.chart.show({x: [0, COUNTS.length - 1], y: [0, 1], ticks: TICKS, marks: MARKS}, KINDS.flatMap(kind => this.series(kind)));
    yield* this.compare();
  }

  showScores() {
    const {now, found} = this, {length} = this.file.tensors.test_labels.data;
    this.counts.value = `${now.count}`;
    this.which.textContent = `draw ${now.draw} of ${DRAWS}: a larger number keeps the photographs of a smaller one`;
    if (found.has(keyOf(now))) this.sides.forEach(({show}, k) => show(this.hits(now, KINDS[k]), length));
  }

  *compare() {
    const {now, past, found} = this;
    this.kinds.value = this.kind;
    const known = found.has(keyOf(now)) && found.has(keyOf(past));
    this.compared.textContent = `Changed answers: ${inWords(past)} → ${inWords(now)}`;
    const changes = known ? this.changes : [];
    for (let k = 0; k < changes.length; k++) yield* this.showChanges(this.groups[k], changes[k]);
  }

  /** What was tried on one kind of features, for the chart. @param {Kind} kind @returns {import("./core/chart.js").Series[]} */
  series(kind) {
    const {length} = this.file.tensors.test_labels.data, all = Array.from(this.found.values(), ({setting}) => setting);
    /** @param {Setting} setting @returns {[number, number]} */
    const point = setting => [COUNTS.indexOf(setting.count), this.hits(setting, kind) / length];
    const means = COUNTS.map((count, place) => {
      const shares = all.filter(each => each.count === count).map(each => point(each)[1]);
      return /** @type {[number, number]} */ ([place, shares.reduce((sum, share) => sum + share, 0) / shares.length]);
    }).filter(([, share]) => share >= 0);
    const current = all.filter(each => keyOf(each) === keyOf(this.now));
    return [{kind: "line", color: kind, points: means}, {kind: "dots", color: kind, points: all.map(point)},
      {kind: "dots", color: `${kind} current`, points: current.map(point)}];
  }

  /** @param {ReturnType<typeof changes>} group  @param {Change[]} some */
  *showChanges({title, pictures, words}, some) {
    title.textContent = `${some.length} ${words}${some.length > SHOWN ? `, such as these ${SHOWN}` : ""}`;
    for (let k = 0; k < pictures.length; k++) {
      pictures[k].element.hidden = k >= some.length;
      if (k < some.length) yield this.showChange(pictures[k], some[k]);
    }
  }

  /** @param {ReturnType<typeof picture>} picture  @param {Change} change */
  showChange({canvas, caption}, {photograph, was, is}) {
    const labels = this.file.tensors.test_labels.data;
    const [label, old, answer] = [labels[photograph], was, is].map(each => this.names[each]);
    this.paint(canvas, photograph);
    canvas.setAttribute("aria-label", `A test photograph of the class ${label}`);
    caption.replaceChildren(make("b", {}, label), `: ${old} → ${answer}`);
  }
}

/** @param {Setting} setting */
const inWords = ({count, draw}) => `${count} of each (draw ${draw})`;

/** A few photographs whose answers have changed in one way. @param {string} words */
function changes(words) {
  const title = make("p"), pictures = Array.from({length: SHOWN}, () => picture("A test photograph"));
  for (const {element} of pictures) element.hidden = true;
  return {
    element: make("div", {}, title, make("div", {className: "photos"}, ...pictures.map(({element}) => element))),
    title, pictures, words,
  };
}

customElements.define("how-many-photographs", HowManyPhotographs);
