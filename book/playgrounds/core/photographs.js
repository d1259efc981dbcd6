// @ts-check
// A photograph of the reader's own, as small as a network's images. It never leaves the reader's machine.

import {button, make} from "./elements.js";

/**
 * A button that asks for a photograph.
 * @param {number} side
 * @param {(pixels: Float32Array) => void} onpicture  the middle square, (3, side, side), from 0 to 255
 * @param {(text: string) => void} onfault
 */
export function photographButton(side, onpicture, onfault) {
  const input = make("input", {type: "file", accept: "image/*", className: "away", tabIndex: -1, "aria-label": "Your photograph",
    onchange: async () => {
      const file = input.files[0];
      input.value = ""; // so that the same file can be chosen again
      if (!file) return;
      try {
        const picture = await createImageBitmap(file);
        onpicture(shrunk(picture, side));
        picture.close();
      } catch {
        onfault(`${file.name} is no picture that this browser can read.`);
      }
    }});
  return [button("Your photograph…", () => input.click()), input];
}

/**
 * @param {ImageBitmap} picture
 * @param {number} side
 */
function shrunk(picture, side) {
  const size = Math.min(picture.width, picture.height), canvas = make("canvas", {width: side, height: side});
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, (picture.width - size) / 2, (picture.height - size) / 2, size, size, 0, 0, side, side);
  const {data} = context.getImageData(0, 0, side, side), area = side * side;
  return Float32Array.from({length: 3 * area}, (_, k) => data[4 * (k % area) + Math.floor(k / area)]);
}
