/**
 * Text of the product of few rows with a packed weight, form nt: Y[M,N] = X[M,K] · Wᵀ and what is added, limited by reading W.
 * A workgroup owns four columns; its threads walk along the depth side by side, a run of packed weights each, and their sums are
 * added in workgroup memory in a fixed order.
 */
import type { WeightKind } from '../quantization/packed-weight.ts';
import { storeFunction } from './matmul-store-wgsl.ts';
import { VECTOR_THREADS } from './product-variants.ts';
import { weightFunctions, weightPrologue } from './weight-wgsl.ts';

export interface MatvecConstants {
  kind: WeightKind;
  /** Most rows. */
  rows: number;
  /** Weights of a run, which share a scale. */
  segment: number;
}

const DEPTH = ['x', 'y', 'z', 'w'];
const COLUMNS = [0, 1, 2, 3];

const times = (count: number, line: (i: number) => string, separator = '\n      '): string => Array.from({ length: count }, (_, i) => line(i)).join(separator);

/** sum += X · W over the eight or four weights from `at` of the run on, for every row. */
function multiplyAdd({ rows, segment }: MatvecConstants): string {
  const fours = segment >= 8 ? [0, 1] : [0];
  const fetch = times(4, (c) => (segment >= 8 ? `let w${c} = weight8(index${c} + at);` : `let w${c} = array<vec4<f32>, 1>(weight4(index${c} + at));`));
  const columns = fours.flatMap((f) => DEPTH.map((d, i) => `let b${f * 4 + i} = vec4<f32>(${COLUMNS.map((c) => `w${c}[${f}].${d}`).join(', ')});`));
  const products = times(rows, (m) =>
    fours
      .map((f) => `let x${m}_${f} = x[((at${m} + k + at) >> 2u) + ${f}u]; ${DEPTH.map((d, i) => `sum${m} = fma(vec4<f32>(x${m}_${f}.${d}), b${f * 4 + i}, sum${m});`).join(' ')}`)
      .join('\n      '),
  );
  return `${fetch}\n      ${columns.join('\n      ')}\n      ${products}`;
}

/** The module without its bindings and parameters. Needs all strides, offsets and sizes to be multiples of 4. */
export function matvecWgsl(constants: MatvecConstants): string {
  const { kind, rows, segment } = constants;
  return `
const THREADS = ${VECTOR_THREADS}u;
const SEGMENT = ${segment}u;
alias Element = vec4<f32>;
var<workgroup> partial: array<vec4<f32>, ${VECTOR_THREADS * rows}>;
${weightFunctions(kind)}
${storeFunction(true)}
@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let column0 = (group.x + group.y * 65535u) * 4u;
  if (column0 >= params.columns) { return; }
  ${weightPrologue(kind, VECTOR_THREADS)}
  let lastColumn = params.columns - 1u;
  ${times(4, (c) => `let weightRow${c} = params.weightRow + min(column0 + ${c}u, lastColumn);`)}
  ${times(rows, (m) => `let row${m} = min(${m}u, params.rows - 1u); let at${m} = row${m} * params.xStride + params.xOffset; var acc${m} = vec4<f32>();`)}
  for (var k = lid * SEGMENT; k < params.depth; k += THREADS * SEGMENT) {
    ${times(4, (c) => `let index${c} = weightRow${c} * params.weightColumns + k;`)}
    ${times(rows, (m) => `var sum${m} = vec4<f32>();`)}
    for (var at = 0u; at < SEGMENT; at += ${segment >= 8 ? 8 : 4}u) {
      ${multiplyAdd(constants)}
    }
    let scales = vec4<f32>(${times(4, (c) => `weightScale(weightRow${c}, index${c})`, ', ')});
    ${times(rows, (m) => `acc${m} = fma(sum${m}, scales, acc${m});`)}
  }
  for (var r = lid; r < params.rank; r += THREADS) {
    let factors = params.lowRankScale * vec4<f32>(${times(4, (c) => `lowRank[params.lowRankOffset + min(column0 + ${c}u, lastColumn) * params.rank + r]`, ', ')});
    ${times(rows, (m) => `acc${m} = fma(vec4<f32>(h[row${m} * params.hStride + params.hOffset + r]), factors, acc${m});`)}
  }
  ${times(rows, (m) => `partial[${m}u * THREADS + lid] = acc${m};`)}
  for (var width = THREADS / 2u; width > 0u; width /= 2u) {
    workgroupBarrier();
    if (lid < width) {
      ${times(rows, (m) => `partial[${m}u * THREADS + lid] += partial[${m}u * THREADS + lid + width];`)}
    }
  }
  workgroupBarrier();
  if (lid < ${rows}u) { store(0u, lid, column0, partial[lid * THREADS]); }
}`;
}
