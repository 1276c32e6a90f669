/**
 * Text of the matrix kernel. Two forms over a packed weight W [N, K]:
 *   nt  Y[M,N] = X[M,K] · Wᵀ   (forward)
 *   nn  Y[M,K] = X[M,N] · W    (gradient of the input)
 * plus, in the same pass over the output, bias, a low-rank product scale · H[M,r] · L and the addition of what Y or another tensor holds.
 * X and unpacked W tiles sit in workgroup memory; every thread keeps a block of outputs in registers.
 */
import { defineKernel } from '../gpu/kernel.ts';
import type { WeightKind } from '../quantization/packed-weight.ts';
import { tileColumns, tileRows, type Tile } from './tiles.ts';
import { WEIGHT_PARAMS, weightFunctions, weightPrologue } from './weight-wgsl.ts';

export type MatmulForm = 'nt' | 'nn';

export interface MatmulVariant {
  form: MatmulForm;
  kind: WeightKind;
  tile: Tile;
  /** All strides, offsets and inner sizes are multiples of 4. */
  aligned: boolean;
  /** Weight elements one thread unpacks at a time; they share a scale and a row. */
  segment: number;
  /** Whether the low-rank product is compiled in; bias and addition always are, since every further variant costs compile time. */
  lowRank: boolean;
  /** Tiles and products in f16, sums in f32. */
  half: boolean;
}

/** Fills xTile[row][depth/4] from X, zero outside. */
function loadX(v: MatmulVariant): string {
  const fetch = v.aligned
    ? 'value = x[(row * params.xStride + params.xOffset + k) >> 2u];'
    : `let at = row * params.xStride + params.xOffset + k;
        for (var c = 0u; c < min(4u, params.depth - k); c++) { value[c] = x[at + c]; }`;
  return `
    for (var i = lid; i < TILE_ROWS * DEPTH4; i += THREADS) {
      let row = row0 + i / DEPTH4;
      let k = k0 + (i % DEPTH4) * 4u;
      var value = vec4<f32>();
      if (row < params.rows && k < params.depth) {
        ${fetch}
      }
      xTile[i] = toXTile(value);
    }`;
}

/** Fills wTile[depth][column/4] from the packed weight, zero outside. */
function loadW(v: MatmulVariant): string {
  const perRow = v.form === 'nt' ? 'DEPTH' : 'TILE_COLUMNS';
  const units = v.form === 'nt' ? 'TILE_COLUMNS * DEPTH' : 'DEPTH * TILE_COLUMNS';
  const place =
    v.form === 'nt'
      ? `let column = i / PER_ROW;
      let inner = (i % PER_ROW) * SEGMENT;
      let weightRow = column0 + column;
      let weightColumn = k0 + inner;
      let inside = weightRow < params.columns && weightColumn < params.depth;`
      : `let inner = i / PER_ROW;
      let column = (i % PER_ROW) * SEGMENT;
      let weightRow = k0 + inner;
      let weightColumn = column0 + column;
      let inside = weightRow < params.depth && weightColumn < params.columns;`;
  const store4 =
    v.form === 'nt'
      ? `for (var c = 0u; c < 4u; c++) { wTile[(inner + s + c) * TILE_COLUMNS4 + (column >> 2u)][column & 3u] = TileValue(value[c]); }`
      : `wTile[inner * TILE_COLUMNS4 + ((column + s) >> 2u)] = toTile(value);`;
  const body =
    v.segment >= 4
      ? `for (var s = 0u; s < SEGMENT; s += 4u) {
        var value = vec4<f32>();
        if (inside) { value = weight4(index + s) * scale; }
        ${store4}
      }`
      : `var value = 0.0;
      if (inside) { value = weight1(index) * scale; }
      wTile[inner * TILE_COLUMNS4 + (column >> 2u)][column & 3u] = TileValue(value);`;
  return `
    const PER_ROW = ${perRow} / SEGMENT;
    for (var i = lid; i < (${units}) / SEGMENT; i += THREADS) {
      ${place}
      let index = (params.weightRow + weightRow) * params.weightColumns + weightColumn;
      var scale = 0.0;
      if (inside) { scale = weightScale(params.weightRow + weightRow, index); }
      ${body}
    }`;
}

/** xTile and wTile for the low-rank product: H scaled, and B as L[N,r] (nt) or A as L[r,K] (nn). Only `quads` of the depth are used. */
function loadLowRank(v: MatmulVariant): string {
  const element = v.form === 'nt' ? 'column * params.rank + k' : 'k * params.columns + column';
  return `
    let quads = min(DEPTH4, (params.rank - k0 + 3u) / 4u);
    for (var i = lid; i < TILE_ROWS * quads; i += THREADS) {
      let row = row0 + i / quads;
      let k = k0 + (i % quads) * 4u;
      var value = vec4<f32>();
      if (row < params.rows) {
        for (var c = 0u; c < min(4u, params.rank - k); c++) { value[c] = h[row * params.hStride + params.hOffset + k + c] * params.lowRankScale; }
      }
      xTile[(i / quads) * DEPTH4 + i % quads] = toXTile(value);
    }
    for (var i = lid; i < quads * 4u * TILE_COLUMNS4; i += THREADS) {
      let k = k0 + i / TILE_COLUMNS4;
      var value = vec4<f32>();
      for (var c = 0u; c < 4u; c++) {
        let column = column0 + (i % TILE_COLUMNS4) * 4u + c;
        if (k < params.rank && column < params.columns) { value[c] = lowRank[params.lowRankOffset + ${element}]; }
      }
      wTile[i] = toTile(value);
    }`;
}

/** @param quads how many fours of the depth to multiply */
function multiplyTiles(tile: Tile, quads: string): string {
  const lines: string[] = [];
  const columns = tile.threadColumns / 4;
  for (let c = 0; c < 4; c++) {
    for (let j = 0; j < columns; j++) lines.push(`let b${c}_${j} = wTile[(q * 4u + ${c}u) * TILE_COLUMNS4 + threadColumn * ${columns}u + ${j}u];`);
  }
  for (let i = 0; i < tile.threadRows; i++) {
    lines.push(`let a${i} = xTile[(threadRow * ${tile.threadRows}u + ${i}u) * DEPTH4 + q];`);
    for (let j = 0; j < columns; j++) lines.push(`acc${i}_${j} += vec4<f32>(a${i}.x * b0_${j} + a${i}.y * b1_${j} + a${i}.z * b2_${j} + a${i}.w * b3_${j});`);
  }
  return `
    workgroupBarrier();
    for (var q = 0u; q < ${quads}; q++) {
      ${lines.join('\n      ')}
    }
    workgroupBarrier();`;
}

function storeY(v: MatmulVariant): string {
  const { tile } = v;
  const lines: string[] = [];
  for (let i = 0; i < tile.threadRows; i++) {
    for (let j = 0; j < tile.threadColumns / 4; j++) {
      lines.push(`store(row0 + threadRow * ${tile.threadRows}u + ${i}u, column0 + threadColumn * ${tile.threadColumns}u + ${j * 4}u, acc${i}_${j}${v.half ? ' * 4.0' : ''});`);
    }
  }
  return lines.join('\n  ');
}

function storeFunction(v: MatmulVariant): string {
  if (v.aligned) {
    return `
fn store(row: u32, column: u32, total: vec4<f32>) {
  if (row >= params.rows || column >= params.columns) { return; }
  let at = (row * params.yStride + params.yOffset + column) >> 2u;
  var value = total;
  if (params.hasBias != 0u) { value += vec4<f32>(bias[column], bias[column + 1u], bias[column + 2u], bias[column + 3u]); }
  if (params.addSelf != 0u) { value += y[at]; }
  if (params.addOther != 0u) { value += addend[at]; }
  y[at] = value;
}`;
  }
  return `
fn store(row: u32, column: u32, total: vec4<f32>) {
  if (row >= params.rows || column >= params.columns) { return; }
  let at = row * params.yStride + params.yOffset + column;
  for (var c = 0u; c < min(4u, params.columns - column); c++) {
    var element = total[c];
    if (params.hasBias != 0u) { element += bias[column + c]; }
    if (params.addSelf != 0u) { element += y[at + c]; }
    if (params.addOther != 0u) { element += addend[at + c]; }
    y[at + c] = element;
  }
}`;
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

/** The module without its bindings and parameters. */
function matmulWgsl(v: MatmulVariant): string {
  const { tile } = v;
  const threads = tile.rows * tile.columns;
  const accumulators: string[] = [];
  for (let i = 0; i < tile.threadRows; i++) for (let j = 0; j < tile.threadColumns / 4; j++) accumulators.push(`var acc${i}_${j} = vec4<f32>();`);
  return `${v.half ? 'enable f16;' : ''}
const THREADS = ${threads}u;
const TILE_ROWS = ${tileRows(tile)}u;
const TILE_COLUMNS = ${tileColumns(tile)}u;
const TILE_COLUMNS4 = ${tileColumns(tile) / 4}u;
const DEPTH = ${tile.depth}u;
const DEPTH4 = ${tile.depth / 4}u;
const SEGMENT = ${v.segment}u;
alias Element = ${v.aligned ? 'vec4<f32>' : 'f32'};
${TILE_TYPES[v.half ? 'f16' : 'f32']}
var<workgroup> xTile: array<vec4<TileValue>, ${(tileRows(tile) * tile.depth) / 4}>;
var<workgroup> wTile: array<vec4<TileValue>, ${(tileColumns(tile) * tile.depth) / 4}>;
${weightFunctions(v.kind)}
${storeFunction(v)}
@compute @workgroup_size(${threads})
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let row0 = group.y * TILE_ROWS;
  let column0 = group.x * TILE_COLUMNS;
  let threadRow = lid / ${tile.columns}u;
  let threadColumn = lid % ${tile.columns}u;
  ${accumulators.join('\n  ')}
  ${weightPrologue(v.kind, threads)}
  for (var k0 = 0u; k0 < params.depth; k0 += DEPTH) {
    ${loadX(v)}
    ${loadW(v)}
    ${multiplyTiles(tile, 'DEPTH4')}
  }
  ${
    v.lowRank
      ? `for (var k0 = 0u; k0 < params.rank; k0 += DEPTH) {
    ${loadLowRank(v)}
    ${multiplyTiles(tile, 'quads')}
  }`
      : ''
  }
  ${storeY(v)}
}`;
}

/** Element is a float, or four of them when all is aligned. */
export const MATMUL = defineKernel({
  name: 'matmul',
  bindings: {
    x: 'read array<Element>', weights: 'read array<u32>', y: 'write array<Element>',
    bias: 'read? array<f32>', addend: 'read? array<Element>',
    // of the low-rank product
    h: 'read? array<f32>', lowRank: 'read? array<f32>',
  },
  params: {
    // M, columns of Y, depth of the reduction
    rows: 'u32', columns: 'u32', depth: 'u32',
    weightColumns: 'u32',
    // first row of W used
    weightRow: 'u32',
    xStride: 'u32', xOffset: 'u32', yStride: 'u32', yOffset: 'u32',
    ...WEIGHT_PARAMS,
    rank: 'u32', hStride: 'u32', hOffset: 'u32', lowRankOffset: 'u32', lowRankScale: 'f32',
    hasBias: 'flag', addSelf: 'flag', addOther: 'flag',
  },
  wgsl: matmulWgsl,
});
