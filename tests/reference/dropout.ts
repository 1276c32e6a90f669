/** Plain inverted dropout with the masks of definition: word c of block q drawn from Philox decides element 4q + c. */
import { philox4x32 } from '../../src/processing/philox.ts';
import type { DropoutKey } from '../../src/kernels/dropout.ts';

/** x / keep where the element's 24 random bits, as a fraction of 1, lie below keep; else 0. `keep` is 1 − p in float32. */
export function plainDropout(x: Float32Array, key: DropoutKey): Float32Array {
  const keep = Math.fround(1 - key.p);
  let words: number[] = [];
  return x.map((value, i) => {
    if (i % 4 === 0) words = philox4x32([i / 4, key.module, 0, 0], [key.seed >>> 0, key.step >>> 0]);
    return (words[i % 4] >>> 8) / 16777216 < keep ? value / keep : 0;
  });
}
