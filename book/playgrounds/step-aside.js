// @ts-check
// <step-aside>: a photograph is moved by whole pixels and covered, and networks that differ in their pooling answer.

import {button, controls, make, menu, paint, percent, picture, placeOn, signed, slider} from "./core/elements.js";
import {largest, likeliest, softmax} from "./core/layers.js";
import {Playground} from "./core/playground.js";
import {POOLINGS} from "./step-aside/networks.js";
import {edges, grays, scene} from "./step-aside/scene.js";

/** @typedef {import("./step-aside/networks.js").Answer} Answer */

const NAMES = Object.keys(POOLINGS), FARTHEST = 8, SIZES = [0, 4, 8, 12];
const STRONGEST = 0.4; // an edge from which on the color does not change
const LEGEND = "A bar is a class’s probability, its tick the probability unmoved and uncovered; “moved” is half the sum of the "
  + "changes. Press a class to see its map: red speaks for it, blue against it.";
/** @type {Record<string, [right: number, down: number]>} */
const STEPS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};

/** @param {import("./core/safetensors.js").Tensor} tensor  bytes of a text */
const lines = tensor => new TextDecoder().decode(tensor.data).split("\n");
/** @type {(value: number, low: number, high: number) => number} */
const within = (value, low, high) => Math.min(high, Math.max(low, Math.round(value) || 0));
/** @param {number} value */
const minus = (value, digits = 0) => value.toFixed(digits).replace("-", "−");
/** @type {(distance: number, ahead: string, back: string) => string} */
const way = (distance, ahead, back) => distance ? `${Math.abs(distance)} ${distance > 0 ? ahead : back}` : "";

/** What is shown of each network. @param {string} name @param {string[]} classes */
const column = (name, classes) => ({
  name,
  edges: picture(`Edges of the photograph, ${name} pooling`),
  map: picture(`Class map, ${name} pooling`),
  cells: classes.map(() => make("td", {className: "share"}, make("i"), make("span"))),
  moved: make("td"),
});

class StepAside extends Playground {
  /** @type {import("./step-aside/scene.js").Change & {photo: number, label?: number}} */
  now;
  /** Nothing until the networks have answered. @type {{still: Answer[], answers: Answer[]} | undefined} */
  found;
  waiting = false;
  again = false;
  /** How many photographs were shown so far. */
  brought = 0;
  /** Where a pointer took hold. @type {{x: number, y: number, right: number, down: number} | undefined} */
  grip;
  /** @type {any} */
  worker;

  /** @param {import("./core/safetensors.js").File} file */
  start({tensors}) {
    const {data, shape: [, , side]} = tensors.photographs, size = 3 * side * side, titles = lines(tensors.titles);
    this.side = side;
    this.every = Array.from({length: side * side}, (_, k) => k);
    this.gray = Array.from(tensors.mean.data, value => 255 * value);
    this.classes = lines(tensors.classes);
    this.photographs = titles.map((_, n) => data.subarray(n * size, (n + 1) * size));
    this.worker = this.employ(new URL("./step-aside/worker.js", import.meta.url));
    this.worker.onmessage = (/** @type {MessageEvent} */ {data}) => this.heard(data);
    this.worker.postMessage({tensors});

    const range = {min: -FARTHEST, max: FARTHEST, step: 1};
    this.photo = menu("Photograph", titles.map((title, n) => [`${n}`, title]), n => this.bring(+n, this.photographs[+n]));
    this.right = slider("Right", range, right => this.change({right}), minus);
    this.down = slider("Down", range, down => this.change({down}), minus);
    this.cover = menu("Gray square", SIZES.map(each => [`${each}`, each ? `${each} by ${each} pixels` : "none"]), size =>
      this.change({square: +size, x: (side - +size) / 2, y: (side - +size) / 2}));
    this.seen = picture("The photograph", "Drag the photograph, or the gray square if there is one; or use arrow keys.");
    const {canvas} = this.seen;
    Object.assign(canvas, {
      role: "application", tabIndex: 0, className: "seen",
      /** @param {KeyboardEvent} event */
      onkeydown: event => this.key(event),
      /** @param {PointerEvent} event */
      onpointerdown: event => this.hold(event),
      /** @param {PointerEvent} event */
      onpointermove: event => this.drag(event),
      onlostpointercapture: () => { this.grip = undefined; },
    });
    const own = () => import("./core/own-photograph.js").then(
      ({ask}) => ask(side, pixels => this.bring(-1, pixels), text => this.said(text)), () => this.missing());
    this.stage.append(
      this.seen.element,
      make("div", {className: "settings"}, controls(this.photo.element, button("Your photograph…", own)),
        this.right.element, this.down.element, this.cover.element, make("p", {className: "note"}, LEGEND)),
      this.table());
  }

  table() {
    this.columns = NAMES.map(name => column(name, this.classes));
    this.buttons = this.classes.map((name, label) => button(name, () => this.change({label})));
    this.mapped = make("th", {scope: "row"});
    /** @type {(content: string | Node, scope?: string) => Node} */
    const head = (content, scope = "row") => make("th", {scope}, content);
    /** @type {(first: Node, cell: (each: ReturnType<typeof column>) => Node) => Node} */
    const row = (first, cell) => make("tr", {}, first, ...this.columns.map(cell));
    return make("table", {},
      make("thead", {}, row(make("td"), ({name}) => head(name, "col"))),
      make("tbody", {}, row(head("edges, pooled"), ({edges}) => make("td", {}, edges.element)),
        row(this.mapped, ({map}) => make("td", {}, map.element)),
        ...this.buttons.map((each, k) => row(head(each), ({cells}) => cells[k])),
        row(head("moved"), ({moved}) => moved)));
  }

  /** @param {import("./core/state.js").State} state */
  restore(state) {
    /** @type {(name: string, low: number, high: number, first?: number) => number} */
    const whole = (name, low, high, first = 0) => within(Number(state[name] ?? first), low, high);
    const square = SIZES.find(each => `${each}` === state.square) ?? 0, room = this.side - square;
    this.now = {
      photo: 0, right: whole("right", -FARTHEST, FARTHEST), down: whole("down", -FARTHEST, FARTHEST), square,
      x: whole("x", 0, room, room / 2), y: whole("y", 0, room, room / 2),
    };
    const photo = whole("photo", 0, this.photographs.length - 1);
    this.show(photo, this.photographs[photo]);
    if ("class" in state) this.now.label = whole("class", 0, this.classes.length - 1);
    this.ask();
  }

  /** @param {number} photo  its number; -1 for a reader's own @param {ArrayLike<number>} pixels  (3, side, side), from 0 to 255 */
  show(photo, pixels) {
    this.pixels = pixels;
    Object.assign(this.now, {photo, label: undefined});
    this.found = undefined;
    this.brought++;
    this.worker.postMessage({pixels});
  }

  /** The reader wants another photograph. @param {number} photo @param {ArrayLike<number>} pixels */
  bring(photo, pixels) {
    this.show(photo, pixels);
    this.change({});
  }

  /** The reader has set something: keep it in the address, and ask the networks. @param {Partial<StepAside["now"]>} part */
  change(part) {
    const {photo, right, down, square, x, y, label} = Object.assign(this.now, part);
    this.saveState({...photo > 0 && {photo}, ...right && {right}, ...down && {down}, ...square && {square, x, y}, ...label >= 0 && {class: label}});
    this.ask();
  }

  /** Show what is set, and ask the networks; while they are at work, once for all that comes meanwhile. */
  ask() {
    this.refresh();
    this.again = this.waiting;
    if (this.waiting) return;
    this.waiting = true;
    this.worker.postMessage({change: this.now, brought: this.brought});
  }

  /** The networks have answered, perhaps to another photograph. @param {{still: Answer[], answers: Answer[], brought: number}} found */
  heard(found) {
    this.waiting = false;
    if (found.brought === this.brought) this.found = found;
    if (this.again) return this.ask();
    this.refresh();
    this.said(this.words);
  }

  /** Move the square if there is one, to a place, else the photograph, by a distance. @param {number} x @param {number} y */
  move(x, y) {
    const room = this.side - this.now.square;
    this.change(this.now.square ? {x: within(x, 0, room), y: within(y, 0, room)}
      : {right: within(x, -FARTHEST, FARTHEST), down: within(y, -FARTHEST, FARTHEST)});
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const step = STEPS[event.key], {square, x, y, right, down} = this.now;
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.move((square ? x : right) + step[0], (square ? y : down) + step[1]);
  }

  /** @param {PointerEvent} event */
  hold(event) {
    const {right, down} = this.now, {canvas} = this.seen;
    canvas.setPointerCapture(event.pointerId);
    this.grip = {...placeOn(event, canvas), right, down};
    this.drag(event);
  }

  /** @param {PointerEvent} event */
  drag(event) {
    const {side, grip, now: {square}} = this, {x, y} = placeOn(event, this.seen.canvas);
    if (!grip) return;
    if (square) this.move(x * side - square / 2, y * side - square / 2);
    else this.move(grip.right + (x - grip.x) * side, grip.down + (y - grip.y) * side);
  }

  /** The class whose map is shown: what was chosen, else the photograph's, or of a reader's own the first network's. */
  get label() {
    const {photo, label} = this.now;
    return label ?? this.file.tensors.labels.data[photo] ?? likeliest(this.found.still[0].logits);
  }

  /** What the networks say, in words. */
  get words() {
    const {classes, now: {right, down, square}, found: {still, answers}} = this;
    const where = [way(right, "right", "left"), way(down, "down", "up")].filter(Boolean).join(" and ");
    const say = answers.map(({logits}) => likeliest(logits));
    const changed = NAMES.filter((_, n) => say[n] !== likeliest(still[n].logits));
    return `${where ? `Moved ${where}` : "Unmoved"}${square ? `, ${square} by ${square} pixels covered` : ""}: `
      + NAMES.map((name, n) => `${name} says ${classes[say[n]]} (${percent(softmax(answers[n].logits)[say[n]], 0)})`).join(", ")
      + (changed.length ? `. Changed: ${changed.join(", ")}.` : where || square ? ". None has changed." : ".");
  }

  *draw() {
    yield this.drawScene();
    for (const each of this.columns) yield this.drawEdges(each);
    if (!this.found) return;
    this.mapped.textContent = `class map of ${this.classes[this.label]}: sum + bias = logit`;
    this.buttons.forEach((each, k) => each.setAttribute("aria-pressed", `${k === this.label}`));
    for (let n = 0; n < this.columns.length; n++) {
      yield this.found && this.drawMap(n);
      yield this.found && this.showShares(n);
    }
  }

  drawScene() {
    const {side, now, every} = this, area = side * side, seen = scene(this.pixels, side, now, this.gray);
    this.light = grays(seen, area);
    this.edges = edges(this.light, side);
    this.photo.value = `${now.photo}`;
    this.right.value = now.right;
    this.down.value = now.down;
    this.cover.value = `${now.square}`;
    paint(this.seen.canvas, every, side, k => [seen[k], seen[area + k], seen[2 * area + k]]);
  }

  /** @param {ReturnType<typeof column>} column */
  drawEdges({name, edges: {canvas}}) {
    const {data, shape} = POOLINGS[name](this.edges);
    paint(canvas, data, shape[2], signed(STRONGEST));
  }

  /** The map of the class that is shown, over the gray photograph. @param {number} n  of the network */
  drawMap(n) {
    const {side, light, every, label, found: {answers}} = this, {canvas, caption} = this.columns[n].map, {logits} = answers[n];
    const [, rows, wide] = answers[n].maps.shape, zoom = side / wide;
    const maps = answers.map(({maps: {data}}) => data.subarray(label * rows * wide, (label + 1) * rows * wide)), map = maps[n];
    const color = signed(largest(maps.map(each => largest(each.map(Math.abs)))));
    paint(canvas, every, side, k => {
      const [red, green, blue] = color(map[Math.floor(k / side / zoom) * wide + Math.floor(k % side / zoom)]), gray = 76 * light[k];
      return [0.7 * red + gray, 0.7 * green + gray, 0.7 * blue + gray];
    });
    const sum = map.reduce((all, part) => all + part, 0), bias = logits[label] - sum;
    caption.textContent = `${minus(sum, 2)} ${bias < 0 ? "−" : "+"} ${Math.abs(bias).toFixed(2)} = ${minus(logits[label], 2)}`;
  }

  /** The probabilities of all classes, beside those before anything was moved. @param {number} n  of the network */
  showShares(n) {
    const {still, answers} = this.found, {cells, moved} = this.columns[n], top = likeliest(answers[n].logits);
    const [shares, first] = [answers, still].map(all => softmax(all[n].logits));
    cells.forEach((cell, k) => {
      cell.classList.toggle("top", k === top);
      cell.firstChild.style.setProperty("--share", `${shares[k]}`);
      cell.firstChild.style.setProperty("--still", `${first[k]}`);
      cell.lastChild.textContent = percent(shares[k], 0);
    });
    moved.textContent = percent(shares.reduce((all, share, k) => all + Math.abs(share - first[k]), 0) / 2, 0);
  }
}

customElements.define("step-aside", StepAside);
