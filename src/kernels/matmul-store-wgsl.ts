/** Text that stores four results of a product, with bias and what is added. */

/** `store(split, row, column, total)`; nothing outside the matrix. Pieces of a sum lie one after the other. `x`, `y` and `addend` are fours where all is aligned. */
export function storeFunction(aligned: boolean): string {
  if (aligned) {
    return `
fn store(split: u32, row: u32, column: u32, total: vec4<f32>) {
  if (row >= params.rows || column >= params.columns) { return; }
  let at = ((split * params.rows + row) * params.yStride + params.yOffset + column) >> 2u;
  var value = total;
  if (params.hasBias != 0u) { value += vec4<f32>(bias[column], bias[column + 1u], bias[column + 2u], bias[column + 3u]); }
  if (params.addSelf != 0u) { value += y[at]; }
  if (params.addOther != 0u) { value += addend[at]; }
  y[at] = value;
}`;
  }
  return `
fn store(split: u32, row: u32, column: u32, total: vec4<f32>) {
  if (row >= params.rows || column >= params.columns) { return; }
  let at = (split * params.rows + row) * params.yStride + params.yOffset + column;
  for (var c = 0u; c < min(4u, params.columns - column); c++) {
    var element = total[c];
    if (params.hasBias != 0u) { element += bias[column + c]; }
    if (params.addSelf != 0u) { element += y[at + c]; }
    if (params.addOther != 0u) { element += addend[at + c]; }
    y[at + c] = element;
  }
}`;
}
