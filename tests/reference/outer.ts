/** Σ_m p[m, i] · q[m, j] over dense matrices [rows, countI] and [rows, countJ], in doubles; result [countI, countJ]. */
export function plainOuter(p: ArrayLike<number>, countI: number, q: ArrayLike<number>, countJ: number, rows: number): Float64Array {
  const result = new Float64Array(countI * countJ);
  for (let m = 0; m < rows; m++) {
    for (let i = 0; i < countI; i++) for (let j = 0; j < countJ; j++) result[i * countJ + j] += p[m * countI + i] * q[m * countJ + j];
  }
  return result;
}
