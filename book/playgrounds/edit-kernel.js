// @ts-check
// <edit-kernel>: nine weights to change, on the page's photographs, on a picture of the reader's own, or on what the
// camera sees. No picture leaves the machine.

import {button, checkbox, controls, grayLevel, make, menu, pen, picture, placeOn, signed} from "./core/elements.js";
import {Playground} from "./core/playground.js";
import {crossCorrelate, frequencyResponse, gray, rings, transposed, turned, windowAt} from "./edit-kernel/filters.js";
import {paintRange, short, table} from "./edit-kernel/painting.js";

/** @typedef {import("./edit-kernel/filters.js").Photo} Photo */

const WIDTH = 256, WAVES = 33, OWN = "your own";
// Sobel's kernel, and a place at the man's hair.
const FIRST = {photo: "camera", kernel: "-1_0_1_-2_0_2_-1_0_1", at: "133_52", relu: "false"};

/** @param {number[]} numbers */
const total = numbers => numbers.reduce((sum, number) => sum + number, 0);
/** @param {number} value */
const isZero = value => Math.abs(value) < 1e-3;
/** @param {ArrayLike<number>} numbers */
const largest = numbers => Array.from(numbers).reduce((most, number) => Math.max(most, Math.abs(number)), 0) || 1;
/** @param {string[]} names */
const withOwn = names => [...names, OWN].map(name => /** @type {[string, string]} */ ([name, name]));

class EditKernel extends Playground {
  /** @type {Record<string, number[]>} */
  kernels = {};
  /** @type {Record<string, Photo>} */
  photos = {};
  /** @type {Photo} */
  photo = {levels: [0], width: 1, height: 1};
  place = {x: 0, y: 0};
  kernel = [0];
  /** @type {HTMLVideoElement | undefined} */
  video;
  sketch = pen(make("canvas"));

  original = picture("The photograph in gray levels", "Press a place to see its sum. Pictures of yours stay on this machine.");
  filtered = picture("What the kernel makes of it");
  waves = picture("The frequency response", "How much passes of slow waves (middle) and of fast ones (rim).");
  weights = Array.from({length: 9}, (_, k) => make("input", {type: "number", step: "any", "aria-label": `weight ${k + 1}`,
    oninput: () => this.weigh(k), onchange: () => this.done()}));
  chooser = make("input", {type: "file", accept: "image/*", hidden: true, "aria-label": "Your picture",
    onchange: () => this.open(this.chooser.files[0]), oncancel: () => this.choose(FIRST.photo)});
  camera = button("Camera", () => this.toggleCamera(), {"aria-pressed": "false"});
  relu = checkbox("ReLU: below 0 becomes 0", () => this.done());
  terms = make("div", {className: "terms"});
  /** @type {any} */
  named;
  /** @type {any} */
  source;

  /** @param {import("./core/playground.js").File} file */
  start({tensors}) {
    for (const [name, {data, shape: [height, width]}] of Object.entries(tensors)) {
      if (data instanceof Uint8Array) this.photos[name] = {levels: data, width, height};
      else this.kernels[name] = Array.from(data);
    }
    this.named = menu("Kernel", withOwn(Object.keys(this.kernels)), name => this.set(this.kernels[name] ?? this.kernel));
    this.source = menu("Photograph", withOwn([...Object.keys(this.photos), "rings"]), name => (name === OWN ? this.chooser.click() : this.choose(name)));
    const {canvas} = this.original;
    canvas.tabIndex = 0;
    canvas.ariaDescription = "Arrow keys move the nine pixels of the sum, with Shift by ten.";
    canvas.onkeydown = event => this.key(event);
    for (const each of [canvas, this.filtered.canvas]) {
      each.onpointerdown = each.onpointermove = event => event.buttons && this.point(placeOn(event, each));
      each.onpointerup = () => this.done();
    }
    this.stage.append(
      make("div", {className: "panel"}, this.original.element,
        controls(this.source.element, button("Your picture…", () => this.chooser.click()), this.camera, this.chooser)),
      make("div", {className: "panel"}, this.filtered.element, this.relu.element),
      make("div", {className: "panel kernel"}, this.named.element, make("div", {className: "weights"}, ...this.weights),
        controls(button("Turn 45°", () => this.set(turned(this.kernel))), button("Transpose", () => this.set(transposed(this.kernel)))),
        this.waves.element),
      this.terms,
    );
  }

  disconnectedCallback() {
    this.stopCamera();
  }

  /** @param {import("./core/playground.js").State} state */
  restore(state) {
    const {photo, kernel, at, relu} = {...FIRST, ...state}, weights = kernel.split("_").map(Number);
    const [x, y] = at.split("_").map(Number);
    this.relu.value = relu === "true";
    this.fill(weights.length === 9 && weights.every(Number.isFinite) ? weights : FIRST.kernel.split("_").map(Number));
    this.place = {x: x || 0, y: y || 0};
    this.choose(photo in this.photos || photo === "rings" ? photo : FIRST.photo);
  }

  /** An action has ended: show, say and keep what there is now. */
  done() {
    this.move(this.place.x, this.place.y);
    const {x, y} = this.place, sum = total(this.kernel);
    const flat = isZero(sum) ? "evenly gray areas vanish, and a map of changes remains"
      : isZero(sum - 1) ? "evenly gray areas stay as they are" : `evenly gray areas come out ${short(sum)} times as bright`;
    this.said(`The weights add up to ${short(sum)}: ${flat}. Noise of one gray level comes out as `
      + `${short(Math.hypot(...this.kernel))}. In row ${y}, column ${x} the sum is ${short(total(this.products()))}.`);
    const photo = this.source.value === OWN ? FIRST.photo : this.source.value, at = `${x}_${y}`;
    const kernel = this.kernel.map(weight => Number(weight.toFixed(6))).join("_");
    this.saveState(Object.fromEntries(Object.entries({photo, kernel, at, relu: `${this.relu.value}`})
      .filter(([name, value]) => value !== /** @type {any} */ (FIRST)[name])));
  }

  /** @param {number[]} kernel */
  set(kernel) {
    this.fill(kernel);
    this.done();
  }

  /** @param {number[]} kernel */
  fill(kernel) {
    this.kernel = [...kernel];
    kernel.forEach((weight, k) => (this.weights[k].value = `${Number(weight.toFixed(3))}`));
    this.nameIt();
  }

  /** Take over a weight from its field; an empty field is 0. @param {number} k */
  weigh(k) {
    this.kernel[k] = this.weights[k].valueAsNumber || 0;
    this.nameIt();
    this.refresh();
  }

  nameIt() {
    const same = Object.keys(this.kernels).find(name => this.kernels[name].every((weight, k) => isZero(weight - this.kernel[k])));
    this.named.value = same ?? OWN;
  }

  /** Show one of the page's photographs. @param {string} name */
  choose(name) {
    if (name === "rings") this.photos.rings ??= rings(WIDTH);
    this.stopCamera();
    this.source.value = name;
    this.photo = this.photos[name];
    this.done();
  }

  /**
   * Take a picture as gray levels of at most 256 pixels a row.
   * @param {ImageBitmap | HTMLVideoElement} image
   * @param {number} wide
   * @param {number} high
   */
  take(image, wide, high) {
    const scale = Math.min(1, WIDTH / wide), width = Math.ceil(wide * scale), height = Math.ceil(high * scale);
    Object.assign(this.sketch.canvas, {width, height});
    this.sketch.imageSmoothingQuality = "high";
    this.sketch.drawImage(image, 0, 0, width, height);
    this.photo = {levels: gray(this.sketch.getImageData(0, 0, width, height).data), width, height};
    this.source.value = OWN;
    this.move(this.place.x, this.place.y);
  }

  /** @param {File} image */
  async open(image) {
    this.stopCamera();
    try {
      const bitmap = await createImageBitmap(image);
      this.take(bitmap, bitmap.width, bitmap.height);
      this.done();
    } catch {
      this.said(`${image.name} is no picture that this browser can read.`);
    }
    this.chooser.value = ""; // so that the same file can be chosen again
  }

  async toggleCamera() {
    if (this.video) return this.stopCamera(); // its last picture stays
    const video = make("video", {muted: true, playsInline: true});
    try {
      video.srcObject = await navigator.mediaDevices.getUserMedia({video: {width: 320, facingMode: "environment"}});
      await video.play();
    } catch (problem) {
      return this.said(`The camera cannot be used: ${problem instanceof Error ? problem.message : problem}.`);
    }
    this.video = video;
    this.camera.ariaPressed = "true";
    this.said("The camera is on. What it sees stays on this machine.");
    const next = () => {
      if (this.video !== video) return;
      this.take(video, video.videoWidth, video.videoHeight);
      requestAnimationFrame(next);
    };
    next();
  }

  stopCamera() {
    const stream = /** @type {MediaStream | undefined} */ (this.video?.srcObject);
    for (const track of stream?.getTracks() ?? []) track.stop();
    this.video = undefined;
    this.camera.ariaPressed = "false";
  }

  /** @param {{x: number, y: number}} share  of the photograph's width and height */
  point({x, y}) {
    this.move(x * this.photo.width, y * this.photo.height);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const way = ["ArrowLeft", "ArrowUp", "ArrowRight", "ArrowDown"].indexOf(event.key), steps = event.shiftKey ? 10 : 1;
    if (way < 0) return;
    event.preventDefault();
    this.move(this.place.x + [-1, 0, 1, 0][way] * steps, this.place.y + [0, -1, 0, 1][way] * steps);
    this.done();
  }

  /** Mark the pixel that is nearest. @param {number} x @param {number} y */
  move(x, y) {
    const {width, height} = this.photo;
    this.place = {x: Math.floor(Math.min(width - 1, Math.max(0, x))), y: Math.floor(Math.min(height - 1, Math.max(0, y)))};
    this.refresh();
  }

  /** What adds up to the response at the marked place. */
  products() {
    return windowAt(this.photo, this.place.x, this.place.y).map((level, k) => level * this.kernel[k]);
  }

  *draw() {
    yield this.drawPhoto();
    yield this.drawResponse();
    yield this.drawWaves();
    yield this.drawSum();
  }

  drawPhoto() {
    paintRange(this.original.canvas, this.photo.levels, this.photo.width, 0, 255, grayLevel);
    this.mark(pen(this.original.canvas));
  }

  drawResponse() {
    const {photo, kernel, filtered} = this, bright = 255 * total(kernel), isMap = isZero(bright / 255);
    let response = crossCorrelate(photo, kernel);
    if (this.relu.value) response = response.map(value => (value > 0 ? value : 0));
    const limit = 100 * Math.hypot(...kernel) || 1, low = isMap ? -limit : Math.min(0, bright), high = isMap ? limit : Math.max(0, bright);
    paintRange(filtered.canvas, response, photo.width, low, high, isMap ? () => signed(limit) : grayLevel);
    filtered.caption.textContent = isMap ? `Red: above 0, blue: below 0; full color from ±${Math.round(limit)}.`
      : `From ${Math.round(low)} (black) to ${Math.round(high)} (white).`;
    this.mark(pen(filtered.canvas));
  }

  drawWaves() {
    const gains = frequencyResponse(this.kernel, WAVES);
    paintRange(this.waves.canvas, gains, WAVES, 0, largest(gains), grayLevel);
  }

  /** The sum at the marked place, term by term. */
  drawSum() {
    const products = this.products(), sum = total(products), {x, y} = this.place;
    this.terms.replaceChildren(
      table("nine pixels", windowAt(this.photo, x, y), grayLevel(0, 255)), "×",
      table("their weights", this.kernel, signed(1.5 * largest(this.kernel))), "=",
      table("products", products, signed(1.5 * largest(products))),
      make("p", {}, "They add up to ", make("strong", {}, short(sum)), this.relu.value && sum < 0 ? "; ReLU makes it 0." : "."));
  }

  /** @param {CanvasRenderingContext2D} context */
  mark(context) {
    const x = this.place.x + 0.5, y = this.place.y + 0.5;
    context.strokeStyle = "#D55E00";
    context.strokeRect(x - 2, y - 2, 4, 4);
    context.setLineDash([6, 6]);
    context.strokeRect(x - 9, y, 18, 0);
    context.strokeRect(x, y - 9, 0, 18);
    context.setLineDash([]);
  }
}

customElements.define("edit-kernel", EditKernel);
