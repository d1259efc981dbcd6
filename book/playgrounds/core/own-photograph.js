// @ts-check
// A photograph of the reader's own, made as small as a network's images. It never leaves the reader's machine.

import {make} from "./elements.js";

/**
 * Ask for a photograph.
 * @param {number} side
 * @param {(pixels: Float32Array) => void} onpicture  its middle square, (3, side, side), from 0 to 255
 * @param {(text: string) => void} onfault
 */
export function ask(side, onpicture, onfault) {
  const input = make("input", {type: "file", accept: "image/*", onchange: async () => {
    const [file] = input.files;
    try {
      const picture = await createImageBitmap(file);
      onpicture(shrunk(picture, side));
      picture.close();
    } catch {
      onfault(`${file.name} is no picture that this browser can read.`);
    }
  }});
  input.click();
}

/**
 * @param {ImageBitmap} picture
 * @param {number} side
 */
function shrunk(picture, side) {
  const size = Math.min(picture.width, picture.height), area = side * side;
  const context = make("canvas", {width: side, height: side}).getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, (picture.width - size) / 2, (picture.height - size) / 2, size, size, 0, 0, side, side);
  const {data} = context.getImageData(0, 0, side, side);
  return Float32Array.from({length: 3 * area}, (_, k) => data[4 * (k % area) + Math.floor(k / area)]);
}
