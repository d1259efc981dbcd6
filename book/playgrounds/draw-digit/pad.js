// @ts-check
// A pad to draw on, by pointer and by keyboard.

import {make, pen, placeOn} from "../core/elements.js";

/** @typedef {import("./strokes.js").Stroke} Stroke */

const SIZE = 280, LINE = 18, STEP = 1 / 28;
const HELP = "Arrow keys move the pen, the space bar lowers and lifts it, backspace takes the last stroke back.";
/** @type {Record<string, [number, number]>} */
const ARROWS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};

export class Pad {
  /** In units of the pad's side. @type {Stroke[]} */
  strokes = [];
  #pen = {x: 0.5, y: 0.5, down: false};

  /**
   * @param {() => void} begun  is called before the first point of a stroke
   * @param {() => void} changed  with every point
   * @param {() => void} ended  when a stroke is whole, or taken back
   */
  constructor(begun, changed, ended) {
    this.begun = begun;
    this.changed = changed;
    this.ended = ended;
    /** @type {HTMLCanvasElement} */
    this.canvas = make("canvas", {className: "pad", width: SIZE, height: SIZE, tabIndex: 0, role: "application",
      "aria-label": "Drawing pad", "aria-description": HELP});
    this.element = make("figure", {}, this.canvas, make("figcaption", {className: "help"}, HELP));
    this.canvas.addEventListener("pointerdown", event => this.#begin(event));
    this.canvas.addEventListener("pointermove", event => this.#go(event));
    this.canvas.addEventListener("keydown", event => this.#key(event));
    for (const name of ["pointerup", "pointercancel"]) this.canvas.addEventListener(name, () => this.#lift());
    for (const name of ["focus", "blur"]) this.canvas.addEventListener(name, () => this.changed());
  }

  /** @param {PointerEvent} event */
  #begin(event) {
    if (!event.isPrimary || event.button) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.begun();
    this.#pen.down = true;
    this.strokes.push([]);
    this.#go(event);
  }

  /** @param {PointerEvent} event */
  #go(event) {
    if (!this.#pen.down || !event.isPrimary || !event.buttons) return;
    const passed = event.getCoalescedEvents?.() ?? [];
    for (const each of passed.length ? passed : [event]) this.#reach(placeOn(each, this.canvas));
  }

  /** @param {{x: number, y: number}} point */
  #reach(point) {
    Object.assign(this.#pen, point);
    this.strokes[this.strokes.length - 1]?.push(point);
    this.changed();
  }

  #lift() {
    if (!this.#pen.down) return;
    this.#pen.down = false;
    this.changed();
    this.ended();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = ARROWS[event.key], {x, y} = this.#pen;
    if (arrow) {
      const [right, down] = arrow;
      const to = {x: within(x + right * STEP), y: within(y + down * STEP)};
      if (this.#pen.down) this.#reach(to);
      else Object.assign(this.#pen, to);
    } else if (event.key === " ") {
      if (this.#pen.down) this.#lift();
      else {
        this.begun();
        this.#pen.down = true;
        this.strokes.push([{x: within(x), y: within(y)}]);
      }
    } else if (event.key === "Backspace") {
      this.undo();
    } else {
      return;
    }
    event.preventDefault();
    this.changed();
  }

  undo() {
    this.#pen.down = false;
    this.strokes.pop();
    this.changed();
    this.ended();
  }

  /** @param {Stroke[]} strokes */
  set(strokes) {
    this.#pen.down = false;
    this.strokes = strokes;
  }

  /** @param {HTMLCanvasElement | null} picture  stands behind the strokes */
  draw(picture) {
    const context = pen(this.canvas);
    context.fillStyle = "black";
    context.fillRect(0, 0, SIZE, SIZE);
    context.imageSmoothingEnabled = false;
    if (picture) context.drawImage(picture, 0, 0, SIZE, SIZE);
    Object.assign(context, {strokeStyle: "white", lineWidth: LINE, lineCap: "round", lineJoin: "round"});
    context.beginPath();
    for (const stroke of this.strokes) {
      stroke.forEach(({x, y}, k) => (k ? context.lineTo(x * SIZE, y * SIZE) : context.moveTo(x * SIZE, y * SIZE)));
      if (stroke.length === 1) context.lineTo(stroke[0].x * SIZE, stroke[0].y * SIZE);
    }
    context.stroke();
    if (!this.canvas.matches(":focus-visible")) return;
    context.beginPath();
    context.arc(this.#pen.x * SIZE, this.#pen.y * SIZE, LINE / 2 + 2, 0, 2 * Math.PI);
    Object.assign(context, {strokeStyle: this.#pen.down ? "#D55E00" : "#56B4E9", lineWidth: 3});
    context.stroke();
  }
}

/** @param {number} value */
const within = value => Math.min(1, Math.max(0, value));
