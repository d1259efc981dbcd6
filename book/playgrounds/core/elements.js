// @ts-check
// What playgrounds are made of: elements, controls, and canvases on which numbers are painted.

/**
 * Make an element; a setting that is a property of its own goes there, anything else becomes an attribute.
 * @param {string} tag
 * @param {Record<string, any>} settings
 * @param {(Node | string)[]} children
 * @returns {any}
 */
export function make(tag, settings = {}, ...children) {
  /** @type {any} */
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(settings)) {
    if (name in element && name !== "role" && !name.startsWith("aria-")) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/**
 * @param {string} text
 * @param {() => void} onclick
 * @returns {HTMLButtonElement}
 */
export function button(text, onclick, settings = {}) {
  return make("button", {type: "button", onclick, ...settings}, text);
}

/**
 * A row of controls.
 * @param {(Node | string)[]} children
 * @returns {HTMLElement}
 */
export function controls(...children) {
  return make("div", {className: "controls"}, ...children);
}

/**
 * A labeled menu.
 * @param {string} label
 * @param {[value: string, text: string][]} options
 * @param {(value: string) => void} onchange
 * @returns {{element: HTMLElement, value: string}}  setting `value` calls nothing
 */
export function menu(label, options, onchange) {
  const select = make("select", {onchange: () => onchange(select.value)},
    ...options.map(([value, text]) => make("option", {value}, text)));
  return {
    element: make("label", {className: "control"}, `${label} `, select),
    get value() { return select.value; },
    set value(value) { select.value = value; },
  };
}

/**
 * A labeled slider, with its value in words beside it.
 * @param {string} label
 * @param {{min: number, max: number, step: number}} range
 * @param {(value: number) => void} oninput
 * @param {(value: number) => string} words
 * @returns {{element: HTMLElement, value: number}}  setting `value` calls nothing
 */
export function slider(label, range, oninput, words = String) {
  const shown = make("span", {className: "value", "aria-hidden": "true"});
  const input = make("input", {type: "range", ...range, oninput: () => {
    say();
    oninput(input.valueAsNumber);
  }});
  const say = () => {
    shown.textContent = words(input.valueAsNumber);
    input.setAttribute("aria-valuetext", shown.textContent);
  };
  say();
  return {
    element: make("label", {className: "control"}, make("span", {}, label), input, shown),
    get value() { return input.valueAsNumber; },
    set value(value) {
      input.value = `${value}`;
      say();
    },
  };
}

/**
 * A labeled box to tick.
 * @param {string} label
 * @param {(value: boolean) => void} onchange
 * @returns {{element: HTMLElement, value: boolean}}
 */
export function checkbox(label, onchange) {
  const input = make("input", {type: "checkbox", onchange: () => onchange(input.checked)});
  return {
    element: make("label", {className: "control"}, input, ` ${label}`),
    get value() { return input.checked; },
    set value(value) { input.checked = value; },
  };
}

/**
 * Buttons of which one is pressed.
 * @param {string} label  of all of them, which is read out
 * @param {[value: string, text: string][]} options
 * @param {(value: string) => void} onchange
 * @returns {{element: HTMLElement, value: string}}  setting `value` calls nothing
 */
export function choice(label, options, onchange) {
  let pressed = options[0][0];
  const buttons = options.map(([value, text]) => button(text, () => {
    show(value);
    onchange(value);
  }));
  /** @param {string} value */
  const show = value => {
    pressed = value;
    options.forEach(([each], k) => buttons[k].setAttribute("aria-pressed", `${each === value}`));
  };
  show(pressed);
  return {
    element: make("div", {className: "choice", role: "group", "aria-label": label}, ...buttons),
    get value() { return pressed; },
    set value(value) { show(value); },
  };
}

/**
 * A canvas under a caption.
 * @param {string} description  of the picture, for those who do not see it
 * @param {string | Node} caption
 * @returns {{element: HTMLElement, canvas: HTMLCanvasElement, caption: HTMLElement}}
 */
export function picture(description, caption = "") {
  const canvas = make("canvas", {role: "img", "aria-label": description});
  const below = make("figcaption", {}, caption);
  return {element: make("figure", {}, canvas, below), canvas, caption: below};
}

/** @typedef {[red: number, green: number, blue: number]} Color  each from 0 to 255 */

/**
 * From a number to a gray level.
 * @param {number} low  is black
 * @param {number} high  is white
 * @returns {(value: number) => Color}
 */
export const grayLevel = (low, high) => value => {
  const level = 255 * (value - low) / (high - low);
  return [level, level, level];
};

/**
 * From a number to blue below zero, white at zero, red above.
 * @param {number} limit  from which on the color does not change
 * @returns {(value: number) => Color}
 */
export const signed = limit => value => {
  const share = Math.max(-1, Math.min(1, value / limit || 0)), strength = Math.abs(share);
  const [red, green, blue] = share < 0 ? [33, 102, 172] : [178, 24, 43];
  return [255 - strength * (255 - red), 255 - strength * (255 - green), 255 - strength * (255 - blue)];
};

/**
 * The context of a canvas.
 * @param {HTMLCanvasElement} canvas
 */
export function pen(canvas) {
  return canvas.getContext("2d");
}

/**
 * Paint numbers, a pixel each.
 * @param {HTMLCanvasElement} canvas  takes on the width, and the height that follows
 * @param {ArrayLike<number>} values  row by row
 * @param {number} width
 * @param {(value: number) => Color} color
 */
export function paint(canvas, values, width, color) {
  const height = Math.ceil(values.length / width), context = pen(canvas);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, {width, height});
  const image = context.createImageData(width, height);
  for (let k = 0, at = 0; k < values.length; k++) {
    const [red, green, blue] = color(values[k]);
    image.data[at++] = red;
    image.data[at++] = green;
    image.data[at++] = blue;
    image.data[at++] = 255;
  }
  context.putImageData(image, 0, 0);
}

/**
 * Where a pointer is on a canvas or another element, as shares of its width and height.
 * @param {{clientX: number, clientY: number}} event
 * @param {Element} element
 */
export function placeOn(event, element) {
  const {left, top, width, height} = element.getBoundingClientRect();
  return {x: (event.clientX - left) / width, y: (event.clientY - top) / height};
}

/** @param {number} share  from 0 to 1 */
export const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)}%`;

/** Let the browser answer the reader before a long computation goes on. */
export const breathe = () => new Promise(go => setTimeout(go));

/**
 * What a long computation awaits now and then: it lets the browser in if the last time is 8 milliseconds ago. So what
 * takes long in all does not hold up the page, and what is quickly done is done at once.
 * @returns {() => Promise<void>}
 */
export function pauses() {
  let begun = performance.now();
  return async () => {
    if (performance.now() - begun < 8) return;
    await breathe();
    begun = performance.now();
  };
}
