// @ts-check
// A match over photographs: how it stands.

/**
 * How often each class was taken for each: rows are labels, columns are answers.
 * @param {ArrayLike<number>} answers  of a class, or `classes` for none
 * @param {ArrayLike<number>} labels
 * @param {number} classes
 */
export function confusion(answers, labels, classes) {
  const counts = Array.from({length: classes}, () => new Array(classes + 1).fill(0));
  for (let k = 0; k < answers.length; k++) counts[labels[k]][answers[k]]++;
  return counts;
}

/**
 * How a match stands: what each named correctly, and what only one of them did.
 * @param {ArrayLike<number>} yours
 * @param {ArrayLike<number>} theirs
 * @param {ArrayLike<number>} labels
 */
export function score(yours, theirs, labels) {
  let you = 0, network = 0, onlyYou = 0, onlyNetwork = 0;
  for (let k = 0; k < yours.length; k++) {
    const mine = yours[k] === labels[k], its = theirs[k] === labels[k];
    you += Number(mine);
    network += Number(its);
    onlyYou += Number(mine && !its);
    onlyNetwork += Number(its && !mine);
  }
  return {count: yours.length, you, network, onlyYou, onlyNetwork};
}
