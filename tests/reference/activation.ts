/** Plain activations in doubles. */

/** Error function to double precision: Taylor series near 0, continued fraction of erfc in the tails. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-18; n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / (Math.sqrt(Math.PI) * (a + fraction)));
}

export const plainSilu = (x: number): number => x / (1 + Math.exp(-x));
export const plainGeluExact = (x: number): number => 0.5 * x * (1 + erf(x / Math.SQRT2));
export const plainGeluTanh = (x: number): number => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
export const plainGeluQuick = (x: number): number => x / (1 + Math.exp(-1.702 * x));

/** f′(x) by central differences. */
export const slope = (f: (x: number) => number, x: number, step = 1e-5): number => (f(x + step) - f(x - step)) / (2 * step);
