// @ts-check
// What a page saved for its playground: a safetensors file, packed by gzip.

import {breathe, pauses} from "./elements.js";

// Bytes that are unpacked at a time, before the browser is let in.
const PART = 50_000;

/**
 * Numbers and their shape, as PyTorch lays them out: the last axis is the fastest. Bytes stay bytes; half-precision
 * numbers, and int8 with a scale a row beside it (see `dlbook.playgrounds.rounded`), become float32.
 * @typedef {{shape: number[], data: Float32Array | Uint8Array | Int8Array | Int32Array}} Tensor
 * @typedef {{tensors: Record<string, Tensor>}} File
 */

/**
 * Fetch, check and unpack what a page saved.
 * @param {URL | string} address
 * @param {number} length  of the packed file, in bytes
 * @param {string} sha256  of the packed file, as hexadecimal digits
 * @param {(share: number) => void} progress  is told which share of it has come, from 0 to 1
 * @returns {Promise<File>}
 */
export async function load(address, length, sha256, progress = () => {}) {
  const answer = await fetch(address);
  if (!answer.ok || !answer.body) throw new Error(`the server answered ${answer.status} ${answer.statusText}`.trim());
  const packed = new Uint8Array(length);
  let received = 0;
  for (const reader = answer.body.getReader(); ;) {
    const {done, value} = await reader.read();
    if (done) break;
    if (received + value.length > length) throw new Error("more came than was published");
    packed.set(value, received);
    received += value.length;
    progress(received / length);
  }
  if (received < length) throw new Error(`only ${received} of ${length} bytes came`);
  // Browsers have crypto.subtle on secure addresses only; gzip has a checksum of its own.
  if (crypto.subtle && hexadecimal(await crypto.subtle.digest("SHA-256", packed)) !== sha256) {
    throw new Error("its checksum is not the published one");
  }
  return read(await unpacked(packed));
}

/** @param {Uint8Array<ArrayBuffer>} packed */
async function unpacked(packed) {
  const {readable, writable} = new DecompressionStream("gzip"), writer = writable.getWriter();
  const feed = async () => {
    for (let at = 0; at < packed.length; at += PART) {
      await writer.write(packed.subarray(at, at + PART));
      await breathe();
    }
    await writer.close();
  };
  const [bytes] = await Promise.all([new Response(readable).arrayBuffer(), feed()]);
  return bytes;
}

/** @param {ArrayBuffer} bytes */
function hexadecimal(bytes) {
  return Array.from(new Uint8Array(bytes), byte => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Read a safetensors file: 8 bytes that say how long the JSON is, the JSON, the numbers.
 * @param {ArrayBuffer} bytes
 * @returns {Promise<File>}
 */
export async function read(bytes) {
  const length = Number(new DataView(bytes).getBigUint64(0, true));
  const {__metadata__, ...entries} = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 8, length)));
  /** @type {Record<string, Tensor>} */
  const tensors = {}, pause = pauses();
  for (const [name, {dtype, shape, data_offsets: [from, to]}] of Object.entries(entries)) {
    tensors[name] = {shape, data: numbers(bytes.slice(8 + length + from, 8 + length + to), dtype)};
    await pause();
  }
  for (const name of Object.keys(tensors).filter(name => name.endsWith(".scale"))) {
    const whole = tensors[name.slice(0, -".scale".length)];
    if (whole?.data instanceof Int8Array) {
      whole.data = scaledRows(whole.data, tensors[name].data);
      delete tensors[name];
      await pause();
    }
  }
  return {tensors};
}

/**
 * @param {ArrayBuffer} bytes
 * @param {string} dtype
 * @returns {Tensor["data"]}
 */
function numbers(bytes, dtype) {
  if (dtype === "F32") return new Float32Array(bytes);
  if (dtype === "F16") return Float32Array.from(new Uint16Array(bytes), half);
  if (dtype === "I8") return new Int8Array(bytes);
  if (dtype === "U8") return new Uint8Array(bytes);
  if (dtype === "I32") return new Int32Array(bytes);
  throw new Error(`numbers of the type ${dtype} are not read here`);
}

/**
 * A half-precision number from its 16 bits: sign, 5 bits of exponent, 10 of fraction.
 * @param {number} bits
 */
function half(bits) {
  const exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : bits >> 15 ? -Infinity : Infinity;
  const size = exponent ? 2 ** (exponent - 25) * (1024 + fraction) : 2 ** -24 * fraction;
  return bits >> 15 ? -size : size;
}

/**
 * @param {Int8Array} rounded
 * @param {ArrayLike<number>} scales  one a row
 */
function scaledRows(rounded, scales) {
  const scaled = new Float32Array(rounded.length), columns = rounded.length / scales.length;
  for (let row = 0, at = 0; row < scales.length; row++) {
    for (const end = at + columns; at < end; at++) scaled[at] = rounded[at] * scales[row];
  }
  return scaled;
}
