/** Plain moves of whole rows. */

/** Rows `index` of source. */
export function plainGather(source: Float32Array, index: ArrayLike<number>, size: number): Float32Array {
  const target = new Float32Array(index.length * size);
  for (let i = 0; i < index.length; i++) target.set(source.subarray(index[i] * size, (index[i] + 1) * size), i * size);
  return target;
}

/** A copy of target with source's rows put, or added, at `index`. */
export function plainScatter(source: Float32Array, index: ArrayLike<number>, target: Float32Array, size: number, add: boolean): Float32Array {
  const result = target.slice();
  for (let i = 0; i < index.length; i++) {
    for (let c = 0; c < size; c++) result[index[i] * size + c] = source[i * size + c] + (add ? result[index[i] * size + c] : 0);
  }
  return result;
}

/** A copy of target whose rows named in `index` hold the sums of the source's rows that go there, added in their order in float32. */
export function plainScatterSums(source: Float32Array, index: readonly number[], target: Float32Array, size: number): Float32Array {
  const result = target.slice();
  for (const row of index) result.fill(0, row * size, (row + 1) * size);
  index.forEach((row, i) => {
    for (let c = 0; c < size; c++) result[row * size + c] += source[i * size + c];
  });
  return result;
}

/** base[p] + Σ_c shares[p, c] · table[indices[p, c]] over four corners, in doubles. */
export function plainInterpolate(table: ArrayLike<number>, indices: ArrayLike<number>, shares: ArrayLike<number>, base: ArrayLike<number>, size: number): Float64Array {
  return Float64Array.from(base, (value, at) => {
    const p = Math.floor(at / size);
    let sum = value;
    for (let c = 0; c < 4; c++) sum += shares[p * 4 + c] * table[indices[p * 4 + c] * size + (at % size)];
    return sum;
  });
}
