// @ts-check
// Letters that can be read on the colors of numbers.

/**
 * Black or white, whichever stands out by 4.5 to 1 (WCAG's contrast) on a gray level or on a color of `signed`: the
 * weights let the three scales change over where black and white stand out alike.
 * @param {number[]} color  red, green, blue
 */
export const ink = ([red, green, blue]) => 0.31 * red + 0.42 * green + 0.27 * blue > 118 ? "black" : "white";
