/**
 * Text of the matrix kernel: a product with a packed weight and, in the same pass over the output, bias, a low-rank product
 * scale · H[M,r] · L and the addition of what Y or another tensor holds.
 * X and unpacked W tiles sit in workgroup memory; every thread keeps a block of outputs in registers. Its rows and fours of columns
 * are spread over the tile, so that neighbouring threads read and store side by side.
 */
import { RUN, stageAhead, stageLowRank, stageW, stageX } from './matmul-stage-wgsl.ts';
import { storeFunction } from './matmul-store-wgsl.ts';
import type { MatmulVariant } from './matmul-variant.ts';
import { swizzled, tileColumns, tileRows } from './tiles.ts';
import { runFunctions, runPrologue, weightFunctions, weightPrologue } from './weight-wgsl.ts';

/** The fours b0 … b3 of columns, one for each of four steps of the depth, for the thread's j-th four. */
function loadColumns({ form, tile }: MatmulVariant, j: number): string[] {
  const column4 = `threadColumn + ${j * tile.columns}u`;
  if (form === 'nn') return [0, 1, 2, 3].map((d) => `let b${d}_${j} = wTile[(q * 4u + ${d}u) * TILE_COLUMNS4 + ${column4}];`);
  return [
    ...[0, 1, 2, 3].map((c) => `let w${c}_${j} = wTile[(${c}u * TILE_COLUMNS4 + ${column4}) * PITCH + q];`),
    ...['x', 'y', 'z', 'w'].map((d, i) => `let b${i}_${j} = vec4<TileValue>(w0_${j}.${d}, w1_${j}.${d}, w2_${j}.${d}, w3_${j}.${d});`),
  ];
}

/** acc += a · b over four steps of the depth. In f16 the four products are added in f16, everything else in f32. */
function multiplyAdd({ tile, half }: MatmulVariant, i: number, j: number): string {
  const [acc, a] = [`acc${i}_${j}`, `a${i}`];
  if (!half && tile.chained) return ['x', 'y', 'z', 'w'].map((d, k) => `${acc} = fma(vec4<f32>(${a}.${d}), b${k}_${j}, ${acc});`).join(' ');
  return `${acc} += vec4<f32>(${a}.x * b0_${j} + ${a}.y * b1_${j} + ${a}.z * b2_${j} + ${a}.w * b3_${j});`;
}

function multiplyTiles(v: MatmulVariant): string {
  const { tile } = v;
  const lines: string[] = [];
  const fours = Array.from({ length: tile.threadColumns / 4 }, (_, j) => j);
  for (const j of fours) lines.push(...loadColumns(v, j));
  // A thread's rows lie a constant apart: one address serves all. The compiler cannot bound an xor, and would clamp every index.
  lines.push(`let xAt = threadRow * DEPTH4 + ${swizzled(tile) ? '((q ^ swizzle) % DEPTH4)' : 'q'};`);
  for (let i = 0; i < tile.threadRows; i++) {
    lines.push(`let a${i} = xTile[xAt + ${i * tile.rows}u * DEPTH4];`);
    for (const j of fours) lines.push(multiplyAdd(v, i, j));
  }
  return lines.join('\n      ');
}

/** Statements for each four of outputs. */
function eachFour({ tile }: MatmulVariant, statement: (i: number, j: number) => string): string {
  const lines: string[] = [];
  for (let i = 0; i < tile.threadRows; i++) for (let j = 0; j < tile.threadColumns / 4; j++) lines.push(statement(i, j));
  return lines.join('\n  ');
}

/**
 * With f16, X is held at a quarter of its size and no larger than a quarter of the f16 range: four products with weights up to 1
 * then never overflow while they are added in f16. Outliers beyond are cut off, since infinities would spoil whole rows;
 * what is infinite or no number already stays so, for the loss to show it.
 */
const TILE_TYPES = {
  f32: `alias TileValue = f32;
fn toTile(value: vec4<f32>) -> vec4<f32> { return value; }
fn toXTile(value: vec4<f32>) -> vec4<f32> { return value; }`,
  f16: `alias TileValue = f16;
fn toTile(value: vec4<f32>) -> vec4<f16> { return vec4<f16>(value); }
fn toXTile(value: vec4<f32>) -> vec4<f16> {
  let finite = (bitcast<vec4<u32>>(value) & vec4<u32>(0x7f800000u)) != vec4<u32>(0x7f800000u);
  return vec4<f16>(select(value, clamp(value * 0.25, vec4<f32>(-16376.0), vec4<f32>(16376.0)), finite));
}`,
} as const;

/** Rounds in which each stages what it multiplies. */
function plainRounds(v: MatmulVariant, multiply: string): string {
  const { unrolled } = v.tile;
  return `for (var round = first; round < last; round++) {
    ${unrolled ? '' : 'var extent: u32;'}
    if (round < rounds) {
      let k0 = round * DEPTH;
      ${unrolled ? '' : 'extent = params.depth - k0;'}
      ${stageX(v)}
      ${stageW(v)}
    } else {
      let k0 = (round - rounds) * DEPTH;
      ${unrolled ? '' : 'extent = params.rank - k0;'}
      ${stageLowRank(v)}
    }
    workgroupBarrier();
    ${multiply}
    workgroupBarrier();
  }`;
}

/** Rounds that multiply while the next one's values are on their way; those of the low-rank product come after them. */
function roundsAhead(v: MatmulVariant, multiply: string): string {
  const { declare, fetch, store } = stageAhead(v);
  return `let lastProduct = min(last, rounds);
  ${declare}
  if (first < lastProduct) {
      ${fetch('first * DEPTH')}
  }
  for (var round = first; round < lastProduct; round++) {
    workgroupBarrier();
      ${store}
    workgroupBarrier();
    if (round + 1u < lastProduct) {
      let k = (round + 1u) * DEPTH;
      ${fetch('k')}
    }
    ${multiply}
  }
  for (var round = max(first, rounds); round < last; round++) {
    let k0 = (round - rounds) * DEPTH;
    workgroupBarrier();
      ${stageLowRank(v)}
    workgroupBarrier();
    ${multiply}
  }`;
}

/** The module without its bindings and parameters. */
export function matmulWgsl(v: MatmulVariant): string {
  const { tile, form } = v;
  const threads = tile.rows * tile.columns;
  const ahead = tile.ahead && v.aligned && v.segment >= RUN;
  const multiply = `for (var q = 0u; q < ${tile.unrolled ? 'DEPTH4' : 'min(DEPTH4, (extent + 3u) / 4u)'}; q++) {
      ${multiplyTiles(v)}
    }`;
  return `${v.half ? 'enable f16;' : ''}
const THREADS = ${threads}u;
const TILE_ROWS = ${tileRows(tile)}u;
const TILE_COLUMNS = ${tileColumns(tile)}u;
const TILE_COLUMNS4 = ${tileColumns(tile) / 4}u;
const DEPTH = ${tile.depth}u;
const DEPTH4 = ${tile.depth / 4}u;
const PITCH = ${tile.depth / 4 + tile.padding}u;
const SEGMENT = ${v.segment}u;
alias Element = ${v.aligned ? 'vec4<f32>' : 'f32'};
${TILE_TYPES[v.half ? 'f16' : 'f32']}
var<workgroup> xTile: array<vec4<TileValue>, TILE_ROWS * DEPTH4>;
var<workgroup> wTile: array<vec4<TileValue>, ${form === 'nt' ? 'TILE_COLUMNS * PITCH' : 'DEPTH * TILE_COLUMNS4'}>;
${weightFunctions(v.kind)}
${ahead ? runFunctions(v.kind) : ''}
${storeFunction(v.aligned)}
@compute @workgroup_size(${threads})
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let row0 = group.y * TILE_ROWS;
  let column0 = group.x * TILE_COLUMNS;
  let threadRow = lid / ${tile.columns}u;
  let threadColumn = lid % ${tile.columns}u;
  ${swizzled(tile) ? 'let swizzle = (threadRow >> 1u) & 3u;' : ''}
  ${eachFour(v, (i, j) => `var acc${i}_${j} = vec4<f32>();`)}
  ${ahead ? runPrologue(v.kind, threads) : ''}
  ${weightPrologue(v.kind, threads)}
  let rounds = (params.depth + DEPTH - 1u) / DEPTH;
  let first = group.z * params.splitRounds;
  let last = min(first + params.splitRounds, rounds + (params.rank + DEPTH - 1u) / DEPTH);
  ${ahead ? roundsAhead(v, multiply) : plainRounds(v, multiply)}
  ${eachFour(v, (i, j) => `store(group.z, row0 + threadRow + ${i * tile.rows}u, column0 + (threadColumn + ${j * tile.columns}u) * 4u, acc${i}_${j}${v.half ? ' * 4.0' : ''});`)}
}`;
}
