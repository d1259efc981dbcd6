// @ts-check
// Many small photographs as one picture, which packs better than their pixels do: a page saves a WebP or PNG file's bytes
// as a tensor of uint8, with square photographs of one size in rows.

import {pen} from "./elements.js";

/**
 * Unpack photographs.
 * @param {import("./safetensors.js").Tensor} file  the bytes of a picture
 * @param {number} side  of a photograph, in pixels
 * @returns {Promise<(canvas: HTMLCanvasElement, number: number) => void>}  paints one of them on a canvas
 */
export async function photographs({data}, side) {
  const sheet = await createImageBitmap(new Blob([/** @type {Uint8Array<ArrayBuffer>} */ (data)]),
    {colorSpaceConversion: "none", premultiplyAlpha: "none"});
  const columns = sheet.width / side;
  return (canvas, number) => {
    if (canvas.width !== side || canvas.height !== side) Object.assign(canvas, {width: side, height: side});
    const x = number % columns * side, y = Math.floor(number / columns) * side;
    pen(canvas).drawImage(sheet, x, y, side, side, 0, 0, side, side);
  };
}
