// @ts-check
// Random numbers that follow from a seed, so that a link leads to the same ones again.

/**
 * Random numbers that follow from a seed alone: 32 bits, shifted and combined (Marsaglia, 2003).
 * @param {number} seed  a whole number from 0
 */
export function generator(seed) {
  let bits = Math.imul(seed + 1, 0x9e3779b9);
  const uniform = () => {
    bits ^= bits << 13;
    bits ^= bits >>> 17;
    bits ^= bits << 5;
    return (bits >>> 0) / 2 ** 32; // above 0 and below 1
  };
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  for (let k = 0; k < 20; k++) uniform(); // so that neighboring seeds have nothing in common
  return {uniform, normal};
}

/**
 * The numbers from 0 on in a random order, the same for the same seed (Fisher and Yates).
 * @param {number} count
 * @param {number} seed  a whole number from 0
 */
export function shuffled(count, seed) {
  const numbers = Array.from({length: count}, (_, k) => k), {uniform} = generator(seed);
  for (let last = count - 1; last > 0; last--) {
    const other = Math.floor(uniform() * (last + 1));
    [numbers[last], numbers[other]] = [numbers[other], numbers[last]];
  }
  return numbers;
}
