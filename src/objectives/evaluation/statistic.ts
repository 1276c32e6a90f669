/** Figures of a set as functions of how often each sample counts: once each for the figure itself, as drawn for its interval. */

/**
 * A figure over samples, sample i counting weights[i] times.
 * Null where there is nothing to measure: a figure from nothing is no figure.
 */
export type Statistic = (weights: ArrayLike<number>) => number | null;

/** Σ weight · above / Σ weight · below; null where the lower sum is 0. */
export function ratio(above: ArrayLike<number>, below: ArrayLike<number>): Statistic {
  return (weights) => {
    let top = 0;
    let bottom = 0;
    for (let i = 0; i < weights.length; i++) {
      top += weights[i] * above[i];
      bottom += weights[i] * below[i];
    }
    return bottom === 0 ? null : top / bottom;
  };
}

/** Mean of the values that are there. */
export function mean(values: readonly (number | null)[]): Statistic {
  return ratio(values.map((value) => value ?? 0), values.map((value) => Number(value !== null)));
}

/** Root of the mean of the squares. */
export function rootMeanSquare(values: readonly (number | null)[]): Statistic {
  const square = mean(values.map((value) => (value === null ? null : value * value)));
  return (weights) => {
    const found = square(weights);
    return found === null ? null : Math.sqrt(found);
  };
}

/**
 * Percentile as NumPy's default has it: linear between the two nearest ranks.
 * @param share between 0 and 1
 */
export function percentile(values: readonly number[], share: number): Statistic {
  const order = values.map((_, i) => i).sort((a, b) => values[a] - values[b]);
  return (weights) => {
    let count = 0;
    for (let i = 0; i < weights.length; i++) count += weights[i];
    if (count === 0) return null;
    const at = share * (count - 1);
    const valueAt = (rank: number) => {
      let passed = 0;
      for (const i of order) {
        passed += weights[i];
        if (passed > rank) return values[i];
      }
      return values[order[order.length - 1]];
    };
    const low = valueAt(Math.floor(at));
    return low + (valueAt(Math.ceil(at)) - low) * (at - Math.floor(at));
  };
}

/** How often each of `count` samples counts in the set as it is. */
export const once = (count: number): Float64Array => new Float64Array(count).fill(1);
