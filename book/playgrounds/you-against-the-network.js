// @ts-check
// <you-against-the-network>: the reader names test photographs, and sees how the page's network did on the same ones.

import {button, checkbox, controls, make, percent, picture} from "./core/elements.js";
import {photographs} from "./core/photographs.js";
import {Playground} from "./core/playground.js";
import {shuffled} from "./core/random.js";
import {side} from "./core/sides.js";
import {confusion, score} from "./you-against-the-network/match.js";

const SIDE = 32, CLASSES = 10, SECONDS = 4, TICK = 100;
const FIRST = {seed: 1, clock: false};
const article = (/** @type {string} */ name) => `${"aeiou".includes(name[0]) ? "an" : "a"} ${name}`;

class YouAgainstTheNetwork extends Playground {
  now = {...FIRST};
  /** What the reader has answered so far, photograph by photograph; `CLASSES` where the time was over. @type {number[]} */
  answers = [];
  /** @type {number[]} */
  order = [];
  /** Whether a photograph is shown and can be answered. */
  open = true;
  /** When the time of the present photograph is over. */
  deadline = Infinity;
  /** Who takes what for what. @type {{you: ReturnType<typeof table>, network: ReturnType<typeof table>} | undefined} */
  tables;
  /** @type {string[]} */
  names = [];

  /** @param {import("./core/playground.js").File} file */
  async start({tensors}) {
    this.names = new TextDecoder().decode(/** @type {Uint8Array} */ (tensors.names.data)).split("\n");
    this.paint = await photographs(tensors.photographs, SIDE);
    this.photograph = picture("The photograph to name: 32 by 32 pixels");
    this.last = picture("The photograph before");
    this.buttons = this.names.map((name, k) => button(name, () => this.answer(k), {"aria-keyshortcuts": `${(k + 1) % CLASSES}`}));
    this.buttons.forEach((each, k) => each.prepend(make("kbd", {"aria-hidden": "true"}, `${(k + 1) % CLASSES}`), " "));
    this.clock = checkbox(`Against the clock: ${SECONDS} seconds for each`, clock => this.begin({clock}));
    this.go = button("Next photograph", () => this.next());
    this.time = make("progress", {max: SECONDS, "aria-label": "Time that is left"});
    this.sides = {you: side("You"), network: side("The network")};
    this.confusions = make("details", {className: "confusions", ontoggle: () => this.refresh()},
      make("summary", {}, "Who takes what for what"));
    this.stage.addEventListener("keydown", event => this.key(event));
    this.stage.replaceChildren(
      make("div", {className: "asked"}, this.photograph.element, this.time, this.go),
      make("div", {className: "answers", role: "group", "aria-label": "What is it?"}, ...this.buttons),
      this.last.element,
      make("div", {className: "scores"}, this.sides.you.element, this.sides.network.element),
      controls(this.clock.element, button("Other photographs", () => this.begin({seed: 1 + Math.floor(999 * Math.random())}))),
      this.confusions,
    );
    setInterval(() => this.tick(), TICK);
  }

  /** @param {import("./core/playground.js").State} state */
  restore({seed, clock}) {
    const number = Number(seed);
    this.now = {seed: Number.isInteger(number) && number > 0 ? number : FIRST.seed, clock: clock === "1"};
    this.restart();
  }

  /** Begin anew, with another setting. @param {Partial<typeof FIRST>} part */
  begin(part) {
    Object.assign(this.now, part);
    this.saveState({...this.now.seed !== FIRST.seed && {seed: this.now.seed}, ...this.now.clock && {clock: 1}});
    this.restart();
  }

  restart() {
    this.answers = [];
    this.order = shuffled(this.file.tensors.labels.data.length, this.now.seed);
    this.clock.value = this.now.clock;
    this.said(this.now.clock ? "Press “Next photograph”, and name what you see before the time is over."
      : "Name the photograph, by a button or by its number on the keyboard.");
    if (this.now.clock) this.pause();
    else this.next();
  }

  /** Show the next photograph, and let the time run. */
  next() {
    this.open = this.answers.length < this.order.length;
    this.deadline = this.now.clock && this.open ? performance.now() + 1000 * SECONDS : Infinity;
    this.refresh();
  }

  /** Wait until the reader asks for the next photograph. */
  pause() {
    this.open = false;
    this.deadline = Infinity;
    this.refresh();
  }

  tick() {
    if (this.deadline === Infinity) return;
    this.time.value = Math.max(0, (this.deadline - performance.now()) / 1000);
    if (performance.now() > this.deadline) this.answer(CLASSES);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (!/^\d$/.test(event.key) || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    this.answer((Number(event.key) + CLASSES - 1) % CLASSES);
  }

  /** Take an answer, say what was right, and go on. @param {number} answer */
  answer(answer) {
    if (!this.open) return;
    const {labels, predictions, probabilities} = this.file.tensors, photograph = this.order[this.answers.length];
    this.answers.push(answer);
    const label = labels.data[photograph], theirs = predictions.data[photograph];
    const mine = answer === CLASSES ? "your time was over" : answer === label ? "you were right" : `you said ${this.names[answer]}`;
    const its = theirs === label ? "the network was right" : `the network said ${this.names[theirs]}`;
    const {count, onlyYou, onlyNetwork} = this.score();
    const end = count === this.order.length ? " That was the last photograph." : "";
    this.said(`That was ${article(this.names[label])}: ${mine}, ${its}, with a probability of ${percent(probabilities.data[photograph], 0)}. `
      + `Of ${count}, only you were right on ${onlyYou}, and only the network on ${onlyNetwork}.${end}`);
    // Somebody who lets the time run out may have left.
    if (answer === CLASSES) this.pause();
    else this.next();
  }

  /** What the network and the labels say of the photographs so far. */
  past() {
    const seen = this.order.slice(0, this.answers.length), {labels, predictions} = this.file.tensors;
    return {labels: seen.map(k => labels.data[k]), theirs: seen.map(k => predictions.data[k])};
  }

  score() {
    const {labels, theirs} = this.past();
    return score(this.answers, theirs, labels);
  }

  *draw() {
    yield this.drawPhotographs();
    yield this.showScores();
  }

  drawPhotographs() {
    const done = this.answers.length, {labels, theirs} = this.past();
    this.photograph.canvas.classList.toggle("covered", !this.open);
    if (done < this.order.length) this.paint(this.photograph.canvas, this.order[done]);
    this.photograph.caption.textContent = done < this.order.length ? `photograph ${done + 1} of ${this.order.length}` : "all are named";
    this.go.hidden = this.open || done === this.order.length;
    this.time.hidden = !this.now.clock;
    if (!this.open) this.time.value = SECONDS;
    for (const each of this.buttons) each.disabled = !this.open;
    this.last.element.classList.toggle("none", !done);
    if (done) {
      const [label, mine, its] = [labels, this.answers, theirs].map(all => this.names[all[done - 1]] ?? "no answer");
      this.paint(this.last.canvas, this.order[done - 1]);
      this.last.caption.textContent = `The one before: ${label}. You: ${mine}. The network: ${its}.`;
    }
  }

  showScores() {
    const done = this.answers.length, {labels, theirs} = this.past(), {you, network} = this.score();
    this.sides.you.show(you, done);
    this.sides.network.show(network, done);
    if (this.confusions.open) this.showTables(labels, theirs);
  }

  /** The two tables have many cells, and are made when somebody wants to see them. @param {number[]} labels  @param {number[]} theirs */
  showTables(labels, theirs) {
    if (!this.tables) {
      this.tables = {you: table("You", this.names), network: table("The network", this.names)};
      this.confusions.append(make("div", {className: "tables"}, this.tables.you.element, this.tables.network.element));
    }
    this.tables.you.show(confusion(this.answers, labels, CLASSES));
    this.tables.network.show(confusion(theirs, labels, CLASSES));
  }
}

/** A table of labels against answers. @param {string} name  @param {string[]} classes */
function table(name, classes) {
  const cells = classes.map(() => [...classes, "none"].map(() => make("td")));
  const head = (/** @type {string} */ text, /** @type {string} */ scope) => make("th", {scope}, make("span", {}, text));
  return {
    element: make("table", {}, make("caption", {}, `${name}: labels in rows, answers in columns`),
      make("thead", {}, make("tr", {}, make("td"), ...[...classes, "no answer"].map(each => head(each, "col")))),
      make("tbody", {}, ...classes.map((each, k) => make("tr", {}, head(each, "row"), ...cells[k])))),
    /** @param {number[][]} counts */
    show(counts) {
      const most = Math.max(1, ...counts.flatMap((row, k) => row.filter((_, answer) => answer !== k)));
      counts.forEach((row, k) => row.forEach((count, answer) => {
        const cell = cells[k][answer];
        cell.textContent = count ? `${count}` : "";
        cell.className = answer === k ? "right" : "";
        cell.style.setProperty("--strength", `${answer === k ? 0 : count / most}`);
      }));
    },
  };
}

customElements.define("you-against-the-network", YouAgainstTheNetwork);
