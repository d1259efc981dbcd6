// @ts-check
// The layers of the book's convolutional networks, and what all networks end in. Numbers lie as PyTorch lays them out:
// the last axis fastest.
//
// Sums are taken in double precision, so results differ from PyTorch's by the rounding of float32 and no more.

/** @typedef {{shape: number[], data: ArrayLike<number>}} Weights */
/** @typedef {{shape: number[], data: Float32Array}} Maps  (C, H, W) */

/**
 * The number of places that a window takes along an axis.
 * @param {number} length
 * @param {number} size
 */
export function places(length, size, stride = 1, padding = 0, dilation = 1) {
  return Math.floor((length + 2 * padding - dilation * (size - 1) - 1) / stride) + 1;
}

/**
 * Convolution, as `torch.nn.functional.conv2d` does it: a cross-correlation, with zeros beyond the border.
 * @param {Weights} x  (C, H, W)
 * @param {Weights} weight  (O, C, K, K)
 * @param {Weights=} bias  (O)
 * @returns {Maps}
 */
export function conv2d(x, weight, bias, {stride = 1, padding = 0, dilation = 1} = {}) {
  const [channels, height, width] = x.shape, [filters, , size] = weight.shape, w = weight.data;
  const rows = places(height, size, stride, padding, dilation), columns = places(width, size, stride, padding, dilation);
  const data = new Float32Array(filters * rows * columns), sums = new Float64Array(rows * columns);
  for (let o = 0, at = 0; o < filters; o++) {
    sums.fill(bias ? bias.data[o] : 0);
    for (let c = 0; c < channels; c++) {
      for (let y = 0; y < size; y++) {
        for (let u = 0; u < size; u++) add(w[at++], c, y * dilation - padding, u * dilation - padding);
      }
    }
    data.set(sums, o * rows * columns);
  }
  return {shape: [filters, rows, columns], data};

  /**
   * Add a channel times a weight, shifted; only where the shifted channel lies inside.
   * @param {number} value
   * @param {number} c
   * @param {number} down
   * @param {number} right
   */
  function add(value, c, down, right) {
    const first = Math.max(0, Math.ceil(-right / stride)), end = Math.min(columns, Math.ceil((width - right) / stride));
    for (let i = 0; i < rows; i++) {
      const row = i * stride + down;
      if (row < 0 || row >= height) continue;
      const from = (c * height + row) * width + right, to = i * columns;
      for (let j = first; j < end; j++) sums[to + j] += value * x.data[from + j * stride];
    }
  }
}

/**
 * Max pooling, without padding.
 * @param {Weights} x  (C, H, W)
 * @returns {Maps}
 */
export function maxPool(x, size = 2, stride = size) {
  return pool(x, size, stride, -Infinity, Math.max, 1);
}

/**
 * Average pooling, without padding.
 * @param {Weights} x  (C, H, W)
 * @returns {Maps}
 */
export function averagePool(x, size = 2, stride = size) {
  return pool(x, size, stride, 0, (sum, value) => sum + value, 1 / (size * size));
}

/**
 * @param {Weights} x
 * @param {number} size
 * @param {number} stride
 * @param {number} first
 * @param {(so: number, value: number) => number} join
 * @param {number} factor
 * @returns {Maps}
 */
function pool(x, size, stride, first, join, factor) {
  const [channels, height, width] = x.shape, rows = places(height, size, stride), columns = places(width, size, stride);
  const data = new Float32Array(channels * rows * columns);
  for (let c = 0, to = 0; c < channels; c++) {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        let so = first;
        for (let y = 0; y < size; y++) {
          const from = (c * height + i * stride + y) * width + j * stride;
          for (let u = 0; u < size; u++) so = join(so, x.data[from + u]);
        }
        data[to++] = so * factor;
      }
    }
  }
  return {shape: [channels, rows, columns], data};
}

/** @param {Float32Array} x */
export const relu = x => x.map(value => Math.max(0, value));

/**
 * Probabilities from logits that a temperature divides.
 * @param {ArrayLike<number>} logits
 */
export function softmax(logits, temperature = 1) {
  const most = largest(logits);
  const powers = Array.from(logits, logit => Math.exp((logit - most) / temperature));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map(power => power / total);
}

/** @param {ArrayLike<number>} values */
export function largest(values) {
  let most = -Infinity;
  for (let k = 0; k < values.length; k++) if (values[k] > most) most = values[k];
  return most;
}

/**
 * Where the largest value stands, the first of several.
 * @param {ArrayLike<number>} values
 */
export function likeliest(values) {
  let best = 0;
  for (let k = 1; k < values.length; k++) if (values[k] > values[best]) best = k;
  return best;
}
