// @ts-check
// What every playground is: an element whose content, the fallback, stands until the reader comes near and the page's
// data are there.

import {breathe, button, make, pauses} from "./elements.js";
import {load} from "./safetensors.js";
import {stateInAddress, writeState} from "./state.js";

// Browsers allow about a hundred changes of the address in half a minute.
const PAUSE = 400;
// Of a reader who has come to stay.
const SIGNS = ["scroll", "pointermove", "pointerdown", "keydown"];

/** @typedef {import("./safetensors.js").File} File */
/** @typedef {import("./state.js").State} State */

export class Playground extends HTMLElement {
  /** Where a playground puts what it shows. @type {HTMLElement} */
  stage = make("div", {className: "stage"});
  /** What the page saved. @type {File} */
  file = {tensors: {}};
  #status = make("p", {role: "status"});
  #opened = false;
  #stale = false;
  #drawing = false;
  #drawn = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * Fetch what the page saved only when the reader has begun to do something, and is less than a screen away: so a
   * page's first view does not wait for it, nor does somebody pay for it who only looks in.
   */
  connectedCallback() {
    if (this.#opened) return;
    for (const sign of SIGNS) addEventListener(sign, () => this.#watch(), {once: true});
    if (!stateInAddress(this.localName)) return;
    this.scrollIntoView();
    this.#watch();
  }

  #watch() {
    new IntersectionObserver((entries, watch) => {
      if (!entries.some(({isIntersecting}) => isIntersecting)) return;
      watch.disconnect();
      if (!this.#opened) this.#open();
    }, {rootMargin: "100%"}).observe(this);
  }

  async #open() {
    this.#opened = true;
    await breathe();
    const progress = make("progress", {max: 1, value: 0, "aria-label": "The playground is being loaded"});
    this.append(progress);
    try {
      const {data, length = "0", checksum = ""} = this.dataset;
      if (data) {
        const address = new URL(data, document.baseURI);
        this.file = await load(address, Number(length), checksum, share => { progress.value = share; });
      }
      await breathe();
      await this.start(this.file);
      await breathe();
      this.restore(stateInAddress(this.localName) ?? {});
    } catch (problem) {
      console.warn(problem);
      this.append(make("p", {role: "alert", className: "problem"}, "This playground could not be loaded: "
        + `${problem instanceof Error ? problem.message : problem}. Load the page anew to try again.`));
      return;
    } finally {
      progress.remove();
    }
    const foot = make("div", {className: "foot"}, this.#status, button("Reset", () => this.#reset()));
    this.append(this.stage, foot);
    this.classList.add("running"); // the style sheet now hides the fallback, except on paper
    this.setAttribute("role", "group");
    this.setAttribute("aria-label", "Playground");
    addEventListener("hashchange", () => {
      const state = stateInAddress(this.localName);
      if (!state) return;
      this.scrollIntoView();
      this.restore(state);
    });
    if (stateInAddress(this.localName)) this.scrollIntoView();
    this.dispatchEvent(new Event("running"));
  }

  #reset() {
    clearTimeout(this.#timer);
    writeState(this.localName, {});
    this.said("");
    this.restore({});
  }

  /**
   * Build what the reader sees into `this.stage`; a playground's own. It may return a promise.
   * @param {File} file  what the page saved; no tensors where it saved nothing
   * @returns {void | Promise<void>}
   */
  start(file) {}

  /**
   * Set everything that a reader can set, and show it; a playground's own. It is called after `start`, on Reset, and
   * when the address's fragment changes.
   * @param {State} state  as `saveState` was given it, or typed by somebody: check it. Empty: the first state.
   */
  restore(state) {}

  /**
   * Show the present state; a playground's own, called by `refresh`. At a `yield` the browser is let in if the parts so
   * far took long, as they do the first time; the state may change meanwhile, and each part reads it anew.
   * @returns {Generator<void>}
   */
  *draw() {}

  /** Draw with the screen's next frame, once, however often it is asked for. */
  async refresh() {
    this.#stale = true;
    if (this.#drawing) return;
    this.#drawing = true;
    try {
      while (this.#stale) {
        // At first what is drawn has to be laid out, too, and a frame would wait for both.
        await (this.#drawn ? new Promise(requestAnimationFrame) : breathe());
        this.#stale = false;
        const pause = pauses();
        for (const _ of this.draw()) {
          this.#drawn = true;
          await pause();
        }
      }
    } finally {
      this.#drawing = false;
    }
  }

  /**
   * Say in words what happened, once an action has ended; it stands below the playground, and is read out.
   * @param {string} text
   */
  said(text) {
    if (this.#status.textContent !== text) this.#status.textContent = text;
  }

  /** Say that a script which is fetched only now cannot be had, as where the site was published anew meanwhile. */
  missing() {
    this.said("A part of this playground could not be loaded. Load the page anew to try again.");
  }

  /**
   * Start a worker.
   * @param {URL} address  of its script
   */
  employ(address) {
    return Object.assign(new Worker(address, {type: "module"}), {onerror: () => this.missing()});
  }

  /**
   * Keep what a reader has set in the address, so that a link to it leads here again.
   * @param {Record<string, string | number>} state  only what differs from the first state
   */
  saveState(state) {
    clearTimeout(this.#timer);
    const texts = Object.fromEntries(Object.entries(state).map(([name, value]) => [name, `${value}`]));
    this.#timer = setTimeout(() => writeState(this.localName, texts), PAUSE);
  }
}
