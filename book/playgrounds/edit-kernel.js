// @ts-check
// <edit-kernel>: nine weights to change, on the page's photographs, on a picture of the reader's own, or on what the
// camera sees. No picture leaves the machine.

import {button, checkbox, controls, grayLevel, make, menu, pen, picture, placeOn, signed} from "./core/elements.js";
import {Playground} from "./core/playground.js";
import {crossCorrelate, frequencyResponse, gray, rings, transposed, turned, windowAt} from "./edit-kernel/filters.js";
import {paintRange} from "./edit-kernel/painting.js";

const WIDTH = 256; // pixels of a row, at most
const WAVES = 33;
const FIRST = {kernel: "Sobel x", photo: "camera", x: 133, y: 52}; // at the man's hair
const ORANGE = "#D55E00"; // in the book's figures, too

/** @param {number} value */
const short = value => `${Math.round(value * 1000) / 1000 || 0}`.replace("-", "−");
/** @param {number[]} numbers */
const total = numbers => numbers.reduce((sum, number) => sum + number, 0);
/** @param {number} value */
const isZero = value => Math.abs(value) < 1e-3;
/** @param {number} value @param {number} size */
const within = (value, size) => Math.min(size - 1, Math.max(0, Math.floor(value)));
/** @param {string} label @param {Record<string, any>} settings @returns {HTMLInputElement} */
const number = (label, settings) => make("input", {type: "number", "aria-label": label, ...settings});
/** @param {string[]} names @returns {[string, string][]} */
const options = names => [...names, "your own"].map(name => [name, name]);

class EditKernel extends Playground {
  /** @type {Record<string, number[]>} */
  kernels = {};
  /** @type {Record<string, import("./edit-kernel/filters.js").Photo>} */
  photographs = {rings: rings(WIDTH)};
  photo = this.photographs.rings;
  place = {x: 0, y: 0};
  /** @type {number[]} */
  kernel = Array(9).fill(0);
  /** @type {HTMLVideoElement | undefined} */
  video;
  sketch = pen(document.createElement("canvas"));

  original = picture("The photograph in gray levels",
    "Press a place to see its sum. Pictures of yours stay on this machine.");
  filtered = picture("What the kernel makes of it");
  waves = picture("The frequency response of the kernel", "How much passes of slow waves (middle) and of fast ones (rim).");
  weights = Array.from({length: 9}, (_, k) => number(`weight, row ${Math.floor(k / 3) + 1}, column ${k % 3 + 1}`, {
    step: "any", oninput: () => this.weigh(k), onchange: () => this.done()}));
  row = number("row", {min: 0, onchange: () => this.move({y: this.row.valueAsNumber || 0})});
  column = number("column", {min: 0, onchange: () => this.move({x: this.column.valueAsNumber || 0})});
  chooser = make("input", {type: "file", accept: "image/*", hidden: true, onchange: () => this.open(this.chooser.files[0])});
  camera = button("Camera", () => this.toggleCamera(), {"aria-pressed": "false"});
  relu = checkbox("ReLU: below 0 becomes 0", () => this.done());
  terms = make("div", {className: "terms"});
  /** Of the named kernels. @type {any} */
  named;
  /** Of the photographs. @type {any} */
  source;

  /** @param {import("./core/playground.js").File} file */
  start({tensors}) {
    for (const [name, {data, shape: [height, width]}] of Object.entries(tensors)) {
      if (data instanceof Uint8Array) this.photographs[name] = {levels: data, width, height};
      else this.kernels[name] = Array.from(data);
    }
    /** @param {string} name */
    const isPicture = name => Number(!isZero(total(this.kernels[name])));
    const names = Object.keys(this.kernels).sort((a, b) => isPicture(a) - isPicture(b) || a.localeCompare(b));
    this.named = menu("Kernel", options(names), name => this.set(this.kernels[name] ?? this.kernel));
    this.source = menu("Photograph", options(Object.keys(this.photographs).sort()),
      name => (name in this.photographs ? this.choose(name) : this.chooser.click()));
    this.listen();
    this.stage.append(
      make("div", {className: "panel"}, this.original.element,
        controls(this.source.element, button("Your picture…", () => this.chooser.click()), this.camera, this.chooser)),
      make("div", {className: "panel"}, this.filtered.element, this.relu.element),
      make("div", {className: "panel kernel"}, this.named.element,
        make("div", {className: "weights", role: "group", "aria-label": "The nine weights"}, ...this.weights),
        controls(button("Turn 45°", () => this.set(turned(this.kernel))),
          button("Turn 180°", () => this.set([...this.kernel].reverse())),
          button("Transpose", () => this.set(transposed(this.kernel)))),
        this.waves.element),
      make("div", {className: "sum"}, controls(make("label", {className: "control"}, "Row ", this.row),
        make("label", {className: "control"}, "column ", this.column)), this.terms),
    );
  }

  listen() {
    const {canvas} = this.original;
    canvas.tabIndex = 0;
    canvas.setAttribute("aria-description", "Arrow keys move the nine pixels of the sum, with Shift by ten.");
    canvas.addEventListener("keydown", event => this.key(event));
    for (const each of [canvas, this.filtered.canvas]) {
      each.addEventListener("pointerdown", event => this.point(event));
      each.addEventListener("pointermove", event => event.buttons && this.point(event));
      each.addEventListener("pointerup", () => this.done());
    }
    this.addEventListener("dragover", event => event.preventDefault());
    this.addEventListener("drop", event => {
      event.preventDefault();
      this.open(event.dataTransfer?.files[0]);
    });
  }

  disconnectedCallback() {
    this.stopCamera();
  }

  /** @param {import("./core/playground.js").State} state */
  restore({photo = FIRST.photo, kernel = "", x, y, relu}) {
    this.choose(photo in this.photographs ? photo : Object.keys(this.photographs).sort()[0]);
    const weights = kernel.split("_").map(Number);
    this.kernel = weights.length === 9 && weights.every(Number.isFinite) ? weights : [...this.kernels[FIRST.kernel]];
    this.relu.value = relu === "1";
    if (x && y) this.place = {x: within(Number(x) || 0, this.photo.width), y: within(Number(y) || 0, this.photo.height)};
    this.fill();
    this.done();
  }

  /** An action has ended: show, say and keep what there is now. */
  done() {
    this.refresh();
    const {x, y} = this.place, sum = total(this.kernel), noise = short(Math.hypot(...this.kernel));
    const flat = this.isMap ? "evenly gray areas vanish, and a map of changes remains"
      : isZero(sum - 1) ? "evenly gray areas stay as they are" : `evenly gray areas come out ${short(sum)} times as bright`;
    this.said(`The weights add up to ${short(sum)}: ${flat}. Noise of one gray level comes out as ${noise}.`
      + (this.video ? "" : ` In row ${y}, column ${x} the sum is ${short(this.sumAt().sum)}.`));
    const {value} = this.source, known = value in this.photographs, first = this.firstPlace(value);
    this.saveState({
      ...(known && value !== FIRST.photo && {photo: value}),
      ...(this.named.value !== FIRST.kernel && {kernel: this.kernel.map(weight => Number(weight.toFixed(6))).join("_")}),
      ...(known && (x !== first.x || y !== first.y) && {x, y}),
      ...(this.relu.value && {relu: 1}),
    });
  }

  get isMap() {
    return isZero(total(this.kernel));
  }

  /** @param {number[]} kernel */
  set(kernel) {
    this.kernel = [...kernel];
    this.fill();
    this.done();
  }

  /** Write the weights into their fields. */
  fill() {
    this.kernel.forEach((weight, k) => (this.weights[k].value = `${Number(weight.toFixed(3))}`));
    this.nameIt();
  }

  /** Take over a weight from its field; an empty field is 0. @param {number} k */
  weigh(k) {
    this.kernel[k] = this.weights[k].valueAsNumber || 0;
    this.nameIt();
    this.refresh();
  }

  nameIt() {
    const same = Object.entries(this.kernels).find(([, weights]) =>
      weights.every((weight, k) => Math.abs(weight - this.kernel[k]) < 1e-6));
    this.named.value = same ? same[0] : "your own";
  }

  /** Show one of the page's photographs. @param {string} name */
  choose(name) {
    this.stopCamera();
    this.source.value = name;
    this.photo = this.photographs[name];
    this.place = this.firstPlace(name);
    this.done();
  }

  /** @param {string} name */
  firstPlace(name) {
    const {width, height} = this.photographs[name] ?? this.photo;
    return name === FIRST.photo ? {x: FIRST.x, y: FIRST.y} : {x: width >> 1, y: height >> 1};
  }

  /**
   * Take a picture of the reader's, or of the camera, as gray levels of at most 256 pixels a row.
   * @param {CanvasImageSource} image
   * @param {number} wide
   * @param {number} high
   */
  take(image, wide, high) {
    const scale = Math.min(1, WIDTH / wide), width = Math.max(1, Math.round(wide * scale)), height = Math.max(1, Math.round(high * scale));
    const {canvas} = this.sketch, isNew = this.photo.width !== width || this.photo.height !== height;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, {width, height});
    this.sketch.imageSmoothingQuality = "high";
    this.sketch.drawImage(image, 0, 0, width, height);
    this.photo = {levels: gray(this.sketch.getImageData(0, 0, width, height).data), width, height};
    this.source.value = "your own";
    if (isNew) this.place = {x: width >> 1, y: height >> 1};
    this.refresh();
  }

  /** @param {File | undefined} image  in a file */
  async open(image) {
    if (!image) return;
    this.chooser.value = ""; // so that the same file can be chosen again
    this.stopCamera();
    try {
      const bitmap = await createImageBitmap(image);
      this.take(bitmap, bitmap.width, bitmap.height);
      bitmap.close();
      this.done();
    } catch {
      this.said(`${image.name} is no picture that this browser can read.`);
    }
  }

  async toggleCamera() {
    if (this.video) {
      this.stopCamera(); // its last picture stays
      this.done();
      return;
    }
    const video = make("video", {muted: true, playsInline: true});
    try {
      video.srcObject = await navigator.mediaDevices.getUserMedia({video: {width: 320, facingMode: "environment"}});
      await video.play();
    } catch (problem) {
      this.said(`The camera cannot be used: ${problem instanceof Error ? problem.message : problem}.`);
      return;
    }
    this.video = video;
    this.camera.setAttribute("aria-pressed", "true");
    const next = () => {
      if (this.video !== video) return;
      this.take(video, video.videoWidth, video.videoHeight);
      requestAnimationFrame(next);
    };
    next();
    this.done();
  }

  stopCamera() {
    const stream = /** @type {MediaStream | undefined} */ (this.video?.srcObject);
    for (const track of stream?.getTracks() ?? []) track.stop();
    this.video = undefined;
    this.camera.setAttribute("aria-pressed", "false");
  }

  /** @param {PointerEvent} event */
  point(event) {
    const {x, y} = placeOn(event, /** @type {Element} */ (event.currentTarget));
    this.place = {x: within(x * this.photo.width, this.photo.width), y: within(y * this.photo.height, this.photo.height)};
    this.refresh();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const along = /** @type {Record<string, number[]>} */ ({ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]})[event.key];
    if (!along) return;
    event.preventDefault();
    const steps = event.shiftKey ? 10 : 1;
    this.move({x: this.place.x + steps * along[0], y: this.place.y + steps * along[1]});
  }

  /** @param {{x?: number, y?: number}} place */
  move({x = this.place.x, y = this.place.y}) {
    this.place = {x: within(x, this.photo.width), y: within(y, this.photo.height)};
    this.done();
  }

  /** What adds up to the response at the marked place. */
  sumAt() {
    const levels = windowAt(this.photo, this.place.x, this.place.y);
    const products = levels.map((level, k) => level * this.kernel[k]);
    return {levels, products, sum: total(products)};
  }

  draw() {
    const {photo, kernel} = this, {levels, width} = photo;
    let response = crossCorrelate(photo, kernel);
    if (this.relu.value) response = response.map(value => (value > 0 ? value : 0));
    const bright = 255 * total(kernel), limit = 100 * Math.hypot(...kernel) || 1;
    const [low, high] = this.isMap ? [-limit, limit] : [Math.min(0, bright), Math.max(0, bright)];
    paintRange(this.original.canvas, levels, width, 0, 255, grayLevel(0, 255));
    paintRange(this.filtered.canvas, response, width, low, high, this.isMap ? signed(limit) : grayLevel(low, high));
    this.filtered.caption.textContent = this.isMap ? `Red: above 0, blue: below 0; full color from ±${Math.round(limit)}.`
      : `From ${Math.round(low)} (black) to ${Math.round(high)} (white).`;
    for (const {canvas} of [this.original, this.filtered]) this.mark(canvas);
    const gains = frequencyResponse(kernel, WAVES), most = gains.reduce((a, b) => Math.max(a, b)) || 1;
    paintRange(this.waves.canvas, gains, WAVES, 0, most, grayLevel(0, most));
    this.showSum();
  }

  /** @param {HTMLCanvasElement} canvas */
  mark(canvas) {
    const context = pen(canvas), {x, y} = this.place;
    context.strokeStyle = ORANGE;
    context.strokeRect(x - 1.5, y - 1.5, 4, 4);
    context.beginPath();
    for (const [dx, dy] of [[-1, 0], [1, 0], [0, -1], [0, 1]]) {
      context.moveTo(x + 0.5 + 3 * dx, y + 0.5 + 3 * dy);
      context.lineTo(x + 0.5 + 9 * dx, y + 0.5 + 9 * dy);
    }
    context.stroke();
  }

  /** The sum at the marked place, term by term. */
  showSum() {
    const {levels, products, sum} = this.sumAt(), {width, height} = this.photo;
    Object.assign(this.row, {value: `${this.place.y}`, max: `${height - 1}`});
    Object.assign(this.column, {value: `${this.place.x}`, max: `${width - 1}`});
    /** @param {number[]} numbers */
    const most = numbers => Math.max(...numbers.map(Math.abs)) || 1;
    this.terms.replaceChildren(
      table("nine pixels", levels, grayLevel(0, 255)), "×", table("their weights", this.kernel, signed(1.5 * most(this.kernel))),
      "=", table("products", products, signed(1.5 * most(products))),
      make("p", {}, "They add up to ", make("strong", {}, short(sum)), this.relu.value && sum < 0 ? "; ReLU makes it 0." : "."));
  }
}

/**
 * Nine numbers on their colors, above what they are.
 * @param {string} caption
 * @param {number[]} numbers
 * @param {(value: number) => number[]} color
 */
function table(caption, numbers, color) {
  const cells = numbers.map(number => {
    const cell = make("span", {}, short(number)), [red, green, blue] = color(number);
    cell.style.background = `rgb(${red} ${green} ${blue})`;
    cell.style.color = 0.3 * red + 0.59 * green + 0.11 * blue > 128 ? "black" : "white";
    return cell;
  });
  return make("figure", {}, make("div", {className: "nine"}, ...cells), make("figcaption", {}, caption));
}

customElements.define("edit-kernel", EditKernel);
