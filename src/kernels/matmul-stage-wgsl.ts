/**
 * Text that fills the tiles of the matrix kernel. Both lie along what their matrix has side by side, so that all stores are whole fours:
 *   xTile[row · DEPTH4 + k/4]                              four of the depth; swizzled: k/4 xor row/2 mod 4
 *   wTile[slot · PITCH + k/4]              (form nt)       four of the depth; slot = column % 4 · TILE_COLUMNS4 + column / 4
 *   wTile[k · TILE_COLUMNS4 + column/4]    (form nn)       four columns
 * Rows and columns beyond the matrix repeat its last ones, whose results nobody stores; X is zero beyond the depth, whatever W holds there.
 */
import type { MatmulVariant } from './matmul-variant.ts';
import { swizzled } from './tiles.ts';

/** Weights that are fetched ahead as one. */
export const RUN = 8;

/** Runs statements for every unit `i` below `count`, a constant expression. */
function eachUnit(count: string, statements: string): string {
  return `
    for (var i = lid; i < ${count}; i += THREADS) {
      ${statements}
    }`;
}

/** @param element the WGSL of element c, read only where `inside` of c holds */
function guardedFour(element: (c: number) => string, inside: (c: number) => string): string {
  const lines = ['var value = vec4<f32>();'];
  for (let c = 0; c < 4; c++) lines.push(`if (${inside(c)}) { value.${'xyzw'[c]} = ${element(c)}; }`);
  return lines.join('\n      ');
}

/** Where the i-th four of a round is stored. */
const placeX = ({ tile }: MatmulVariant, i: string): string =>
  swizzled(tile) ? `${i} / DEPTH4 * DEPTH4 + ((${i} % DEPTH4) ^ ((${i} / (2u * DEPTH4)) & 3u)) % DEPTH4` : i;

/** xTile from X at depth k0. */
export function stageX(v: MatmulVariant): string {
  const fetch = v.aligned
    ? `var value = vec4<f32>();
      if (k < params.depth) { value = x[(row * params.xStride + params.xOffset + k) >> 2u]; }`
    : `let at = row * params.xStride + params.xOffset + k;
      ${guardedFour((c) => `x[at + ${c}u]`, (c) => `k + ${c}u < params.depth`)}`;
  return eachUnit(
    'TILE_ROWS * DEPTH4',
    `let row = min(row0 + i / DEPTH4, params.rows - 1u);
      let k = k0 + i % DEPTH4 * 4u;
      ${fetch}
      xTile[${placeX(v, 'i')}] = toXTile(value);`,
  );
}

/** Where the four from `column` (nt) or row `inner` (nn) of the tile on is stored. */
const placeW = ({ form }: MatmulVariant): string =>
  form === 'nt' ? '((column & 3u) * TILE_COLUMNS4 + (column >> 2u)) * PITCH + (inner >> 2u)' : 'inner * TILE_COLUMNS4 + (column >> 2u)';

/** Declares where the i-th run of a round lies in the tile, and its row and first element in the weight, from depth `k` on. */
const runAt = ({ form }: MatmulVariant, i: string, run: string, k: string): string =>
  form === 'nt'
    ? `let column = ${i} / (DEPTH / ${run});
      let inner = ${i} % (DEPTH / ${run}) * ${run};
      let weightRow = params.weightRow + min(column0 + column, params.columns - 1u);
      let index = weightRow * params.weightColumns + min(${k} + inner, params.depth - ${run});`
    : `let inner = ${i} / (TILE_COLUMNS / ${run});
      let column = ${i} % (TILE_COLUMNS / ${run}) * ${run};
      let weightRow = params.weightRow + min(${k} + inner, params.depth - 1u);
      let index = weightRow * params.weightColumns + min(column0 + column, params.columns - ${run});`;

/** wTile from the packed weight at depth k0, a run of SEGMENT weights with one scale at a time. */
function stageRuns(v: MatmulVariant): string {
  const { segment } = v;
  const store =
    segment >= 8
      ? `for (var s = 0u; s < SEGMENT / 4u; s += 2u) {
        let values = weight8(index + s * 4u) * scale;
        wTile[to + s] = toTile(values[0]);
        wTile[to + s + 1u] = toTile(values[1]);
      }`
      : 'wTile[to] = toTile(weight4(index) * scale);';
  return eachUnit(
    'TILE_COLUMNS * DEPTH / SEGMENT',
    `${runAt(v, 'i', 'SEGMENT', 'k0')}
      let scale = weightScale(weightRow, index);
      let to = ${placeW(v)};
      ${store}`,
  );
}

/** wTile a weight at a time, for rows that do not divide into runs. */
function stageSingles(v: MatmulVariant): string {
  const place =
    v.form === 'nt'
      ? `let column = i / DEPTH4;
      let inner = i % DEPTH4 * 4u;
      let weightRow = params.weightRow + min(column0 + column, params.columns - 1u);
      let index = weightRow * params.weightColumns + k0 + inner;`
      : `let inner = i / TILE_COLUMNS4;
      let column = i % TILE_COLUMNS4 * 4u;
      let weightRow = params.weightRow + min(k0 + inner, params.depth - 1u);
      let index = weightRow * params.weightColumns + column0 + column;`;
  const inside = v.form === 'nt' ? (c: number) => `k0 + inner + ${c}u < params.depth` : (c: number) => `column0 + column + ${c}u < params.columns`;
  return eachUnit(
    'TILE_COLUMNS * DEPTH4',
    `${place}
      ${guardedFour((c) => `weight1(index + ${c}u) * weightScale(weightRow, index + ${c}u)`, inside)}
      wTile[${placeW(v)}] = toTile(value);`,
  );
}

export const stageW = (v: MatmulVariant): string => (v.segment >= 4 ? stageRuns(v) : stageSingles(v));

/** Both tiles for the low-rank product at rank k0: H scaled, and B as L [N, r] (nt) or A as L [r, K] (nn). */
export function stageLowRank(v: MatmulVariant): string {
  const h = guardedFour((c) => `h[at + ${c}u] * params.lowRankScale`, (c) => `k + ${c}u < params.rank`);
  const factor =
    v.form === 'nt'
      ? `let column = i / DEPTH4;
      let inner = i % DEPTH4 * 4u;
      let at = params.lowRankOffset + min(column0 + column, params.columns - 1u) * params.rank + k0 + inner;
      ${guardedFour((c) => `lowRank[at + ${c}u]`, (c) => `k0 + inner + ${c}u < params.rank`)}`
      : `let inner = i / TILE_COLUMNS4;
      let column = i % TILE_COLUMNS4 * 4u;
      let at = params.lowRankOffset + (k0 + inner) * params.columns + column0 + column;
      ${guardedFour((c) => `lowRank[at + ${c}u]`, (c) => `k0 + inner < params.rank && column0 + column + ${c}u < params.columns`)}`;
  return `${eachUnit(
    'TILE_ROWS * DEPTH4',
    `let k = k0 + i % DEPTH4 * 4u;
      let at = min(row0 + i / DEPTH4, params.rows - 1u) * params.hStride + params.hOffset + k;
      ${h}
      xTile[${placeX(v, 'i')}] = toXTile(value);`,
  )}${eachUnit(
    'TILE_COLUMNS * DEPTH4',
    `${factor}
      wTile[${placeW(v)}] = toTile(value);`,
  )}`;
}

/** Declarations `nextX…` and `nextW…` of what a thread holds for the next round, statements that fetch it for depth `k`, and those that put it into the tiles. */
export function stageAhead(v: MatmulVariant): { declare: string; fetch: (k: string) => string; store: string } {
  const { tile } = v;
  const threads = tile.rows * tile.columns;
  const unitsX = (tile.rows * tile.threadRows * tile.depth) / 4;
  const unitsW = (tile.columns * tile.threadColumns * tile.depth) / RUN;
  const each = (units: number, statement: (i: string, n: number) => string) =>
    Array.from({ length: Math.ceil(units / threads) }, (_, n) => {
      const text = statement(n === 0 ? 'lid' : `(lid + ${n * threads}u)`, n);
      return (n + 1) * threads > units ? `if (lid + ${n * threads}u < ${units}u) { ${text} }` : text;
    }).join('\n      ');
  const declareX = Array.from({ length: Math.ceil(unitsX / threads) }, (_, n) => `var nextX${n} = vec4<f32>();`);
  const declareW = Array.from({ length: Math.ceil(unitsW / threads) }, (_, n) => `var nextW${n}: Run;`);
  return {
    declare: [...declareX, ...declareW].join(' '),
    fetch: (k) =>
      `${each(unitsX, (i, n) => `{ let row = min(row0 + ${i} / DEPTH4, params.rows - 1u); let at = ${k} + ${i} % DEPTH4 * 4u; nextX${n} = vec4<f32>(); if (at < params.depth) { nextX${n} = x[(row * params.xStride + params.xOffset + at) >> 2u]; } }`)}
      ${each(unitsW, (i, n) => `{ ${runAt(v, i, `${RUN}u`, k)} nextW${n} = fetchRun(weightRow, index); }`)}`,
    store: `${each(unitsX, (i, n) => `xTile[${placeX(v, i)}] = toXTile(nextX${n});`)}
      ${each(unitsW, (i, n) => `{ ${runAt(v, i, `${RUN}u`, '0u')} let to = ${placeW(v)}; let values = unpackRun(nextW${n}); wTile[to] = toTile(values[0]); wTile[to + 1u] = toTile(values[1]); }`)}`,
  };
}
