// @ts-check
// How sure a share is that was counted.

/**
 * Wilson's interval for a share (1927), which stays within 0 and 1 and is of use from the first answer on.
 * @param {number} hits  how many of
 * @param {number} count  so many; with none, anything is possible
 * @param {number} z  1.96 standard deviations: 95 of 100 such intervals contain the true share
 * @returns {[number, number]}
 */
export function wilson(hits, count, z = 1.959963984540054) {
  if (!count) return [0, 1];
  const share = hits / count, spread = z * z / count;
  const middle = (share + spread / 2) / (1 + spread);
  const half = z / (1 + spread) * Math.sqrt(share * (1 - share) / count + spread / (4 * count));
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}
