/**
 * Gradient of a scalar function by central differences, in doubles.
 * With step 1e-5 on values near 1 the truncation error (step² · f‴ / 6) and the rounding error (1e-16 / step) are both near 1e-10,
 * far below the float32 rounding of what is compared with it.
 */
export function centralDifferences(f: (x: Float64Array) => number, at: ArrayLike<number>, step = 1e-5): Float64Array {
  const x = Float64Array.from(at);
  return x.map((value, i) => {
    x[i] = value + step;
    const above = f(x);
    x[i] = value - step;
    const below = f(x);
    x[i] = value;
    return (above - below) / (2 * step);
  });
}

/** Σ a · b */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
