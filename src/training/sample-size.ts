/** How large units of data are: all that a plan needs to know of them. */

/** Sizes of one unit of data: a sample, a pair, or a prompt with all its answers. */
export interface SampleSize {
  tokens: number;
  patches: number;
  labelTokens: number;
  /** What of this every part of the unit needs whole: the prompt that its answers share. */
  shared?: { tokens: number; patches: number };
}

/**
 * The most that one micro-batch can hold: the largest samples together.
 * @param batchSize units; below 1 where a micro-batch holds a part of a unit
 */
export function largestBatch(sizes: readonly SampleSize[], batchSize: number): SampleSize {
  const part = Math.min(1, batchSize);
  const top = (key: 'tokens' | 'patches' | 'labelTokens') =>
    Math.ceil(
      sizes
        .map(({ [key]: whole, shared }) => {
          const once = key === 'labelTokens' ? 0 : (shared?.[key] ?? 0);
          return once + part * (whole - once);
        })
        .sort((a, b) => b - a)
        .slice(0, Math.ceil(batchSize))
        .reduce((sum, value) => sum + value, 0),
    );
  return { tokens: top('tokens'), patches: top('patches'), labelTokens: top('labelTokens') };
}
