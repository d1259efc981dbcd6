// @ts-check
// A linear layer trained to the very end: the loss is convex, so it has one lowest point.

/** @typedef {{loss: number, slope: Float64Array}} Found */

// How many steps the search remembers, how flat it must become, and when to give up.
const MEMORY = 10, FLAT = 1e-9, MOST = 1000;

/** @param {ArrayLike<number>} a  @param {ArrayLike<number>} b */
function dot(a, b) {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k] * b[k];
  return sum;
}

/**
 * The logits of some rows of features.
 * @param {ArrayLike<number>} layer  (classes, features + 1): the last of each row is the bias
 * @param {ArrayLike<number>} rows  (rows, features)
 * @param {number} classes
 * @returns {Float64Array}  (rows, classes)
 */
export function logits(layer, rows, classes) {
  const size = layer.length / classes, features = size - 1, count = rows.length / features;
  const out = new Float64Array(count * classes);
  for (let n = 0; n < count; n++) {
    for (let c = 0; c < classes; c++) {
      let sum = layer[c * size + features];
      for (let k = 0; k < features; k++) sum += layer[c * size + k] * rows[n * features + k];
      out[n * classes + c] = sum;
    }
  }
  return out;
}

/**
 * The mean cross-entropy with the penalty for large weights, and how each number of the layer changes it.
 * @param {Float64Array} layer
 * @param {ArrayLike<number>} rows
 * @param {ArrayLike<number>} labels
 * @param {number} classes
 * @param {number} decay  of this times half the sum of the squared weights is the penalty; biases are free
 * @returns {Found}
 */
export function objective(layer, rows, labels, classes, decay) {
  const size = layer.length / classes, features = size - 1, count = labels.length;
  const z = logits(layer, rows, classes), slope = new Float64Array(layer.length);
  let loss = 0;
  for (let n = 0; n < count; n++) {
    const row = z.subarray(n * classes, (n + 1) * classes), top = Math.max(...row);
    const powers = row.map(each => Math.exp(each - top)), total = powers.reduce((sum, each) => sum + each);
    loss += (Math.log(total) + top - row[labels[n]]) / count;
    for (let c = 0; c < classes; c++) {
      const pull = (powers[c] / total - Number(c === labels[n])) / count, from = n * features, to = c * size;
      for (let k = 0; k < features; k++) slope[to + k] += pull * rows[from + k];
      slope[to + features] += pull;
    }
  }
  for (let at = 0; at < layer.length; at++) {
    if (at % size === features) continue;
    loss += decay / 2 * layer[at] ** 2;
    slope[at] += decay * layer[at];
  }
  return {loss, slope};
}

/**
 * The layer at the lowest point, by L-BFGS (Nocedal, 1980): steps along the slope, bent by what the last steps have
 * told of the curvature. A first guess of the curvature is the mean square of each feature.
 * @param {ArrayLike<number>} rows  (rows, features)
 * @param {ArrayLike<number>} labels
 * @param {number} classes
 * @param {number} decay  above 0
 * @returns {Float64Array}  (classes, features + 1)
 */
export function fit(rows, labels, classes, decay) {
  const count = labels.length, size = rows.length / count + 1;
  const guess = Float64Array.from({length: classes * size}, (_, at) => {
    const k = at % size;
    let squares = k === size - 1 ? count : 0;
    if (!squares) for (let n = 0; n < count; n++) squares += rows[n * (size - 1) + k] ** 2;
    return 1 / (squares / count / classes + decay);
  });
  /** @type {{step: Float64Array, change: Float64Array}[]} */
  const past = [];
  let layer = new Float64Array(classes * size), here = objective(layer, rows, labels, classes, decay);
  for (let taken = 0; taken < MOST && here.slope.some(each => Math.abs(each) > FLAT); taken++) {
    const way = downhill(here.slope, guess, past), steep = dot(way, here.slope);
    let share = 2, next = layer, there = here;
    // The last digits of the loss are rounding, and no reason for a shorter step.
    do {
      share /= 2;
      next = layer.map((each, at) => each + share * way[at]);
      there = objective(next, rows, labels, classes, decay);
    } while (there.loss > here.loss + 1e-4 * share * steep + 1e-14 && share > 1e-9);
    const step = next.map((each, at) => each - layer[at]), change = there.slope.map((each, at) => each - here.slope[at]);
    if (dot(step, change) > 0) past.push({step, change});
    if (past.length > MEMORY) past.shift();
    layer = next;
    here = there;
  }
  return layer;
}

/** @param {Float64Array} slope  @param {Float64Array} guess  @param {{step: Float64Array, change: Float64Array}[]} past */
function downhill(slope, guess, past) {
  let way = slope.map(each => -each);
  const parts = past.map(({step, change}) => ({step, change, scale: 1 / dot(step, change), part: 0}));
  for (const each of [...parts].reverse()) {
    each.part = each.scale * dot(each.step, way);
    way = way.map((value, at) => value - each.part * each.change[at]);
  }
  // The guess has the right shape, and the last step tells how large it should be.
  const last = parts[parts.length - 1];
  const size = last ? 1 / last.scale / dot(last.change, last.change.map((each, at) => each * guess[at])) : 1;
  way = way.map((value, at) => value * guess[at] * size);
  for (const {step, change, scale, part} of parts) {
    const back = scale * dot(change, way);
    way = way.map((value, at) => value + (part - back) * step[at]);
  }
  return way;
}
