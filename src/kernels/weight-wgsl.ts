/**
 * WGSL that reads packed weights: `weightScale(row, index)` is constant over a run of `segment` elements,
 * `weight8(index)`, `weight4(index)` and `weight1(index)` give unscaled values from an index that is a multiple of 8, 4 or 1 on;
 * index counts elements of the flattened row-major matrix.
 * Layouts: quantization/packed-weight.ts.
 */
import { NF4_CODE } from '../quantization/nf4-code.ts';
import type { WeightKind } from '../quantization/packed-weight.ts';

/** Parameters of a kernel that reads a weight: where its sections begin, in words. */
export const WEIGHT_PARAMS = { weight0: 'u32', weight1: 'u32', weight2: 'u32', weight3: 'u32' } as const;

export function weightValues([weight0, weight1, weight2, weight3]: readonly [number, number, number, number]): Record<keyof typeof WEIGHT_PARAMS, number> {
  return { weight0, weight1, weight2, weight3 };
}

const FUNCTIONS: Readonly<Record<WeightKind, string>> = {
  nf4: `
var<workgroup> codebook: array<f32, 16>;
fn weightScale(row: u32, index: u32) -> f32 {
  let block = index >> 6u;
  let code = (weights[params.weight0 + (block >> 2u)] >> ((block & 3u) * 8u)) & 255u;
  return bitcast<f32>(weights[params.weight3 + code]) * bitcast<f32>(weights[params.weight1 + (block >> 8u)]) + bitcast<f32>(weights[params.weight2]);
}
fn unpack4(half: u32) -> vec4<f32> {
  return vec4<f32>(codebook[(half >> 4u) & 15u], codebook[half & 15u], codebook[(half >> 12u) & 15u], codebook[(half >> 8u) & 15u]);
}
fn weight8(index: u32) -> mat2x4<f32> {
  let word = weights[index >> 3u];
  return mat2x4<f32>(unpack4(word), unpack4(word >> 16u));
}
fn weight4(index: u32) -> vec4<f32> { return unpack4(weights[index >> 3u] >> ((index & 4u) * 4u)); }
fn weight1(index: u32) -> f32 {
  let byte = weights[index >> 3u] >> ((index & 6u) * 4u);
  return codebook[select((byte >> 4u) & 15u, byte & 15u, (index & 1u) == 1u)];
}`,
  int8: `
fn weightScale(row: u32, index: u32) -> f32 { return bitcast<f32>(weights[params.weight0 + row]); }
fn unpackBytes(word: u32) -> vec4<f32> {
  let bytes = bitcast<i32>(word);
  return vec4<f32>(vec4<i32>(extractBits(bytes, 0u, 8u), extractBits(bytes, 8u, 8u), extractBits(bytes, 16u, 8u), extractBits(bytes, 24u, 8u)));
}
fn weight4(index: u32) -> vec4<f32> { return unpackBytes(weights[index >> 2u]); }
fn weight1(index: u32) -> f32 { return f32(extractBits(bitcast<i32>(weights[index >> 2u]), (index & 3u) * 8u, 8u)); }`,
  bf16: `
fn weightScale(row: u32, index: u32) -> f32 { return 1.0; }
fn unpackPairs(low: u32, high: u32) -> vec4<f32> {
  return bitcast<vec4<f32>>(vec4<u32>(low << 16u, low & 0xffff0000u, high << 16u, high & 0xffff0000u));
}
fn weight4(index: u32) -> vec4<f32> { return unpackPairs(weights[index >> 1u], weights[(index >> 1u) + 1u]); }
fn weight1(index: u32) -> f32 {
  let word = weights[index >> 1u];
  return bitcast<f32>(select(word << 16u, word & 0xffff0000u, (index & 1u) == 1u));
}`,
  // weight0 is the offset of the matrix in its buffer, so that adapters can share one.
  f32: `
fn weightScale(row: u32, index: u32) -> f32 { return 1.0; }
fn weight4(index: u32) -> vec4<f32> {
  let at = params.weight0 + index;
  return bitcast<vec4<f32>>(vec4<u32>(weights[at], weights[at + 1u], weights[at + 2u], weights[at + 3u]));
}
fn weight1(index: u32) -> f32 { return bitcast<f32>(weights[params.weight0 + index]); }`,
};

const TWO_FOURS = `
fn weight8(index: u32) -> mat2x4<f32> { return mat2x4<f32>(weight4(index), weight4(index + 4u)); }`;

/** Functions to read a weight of this kind from `weights: array<u32>`. */
export function weightFunctions(kind: WeightKind): string {
  return kind === 'nf4' ? FUNCTIONS.nf4 : `${FUNCTIONS[kind]}${TWO_FOURS}`;
}

/**
 * Runs of eight weights in two steps: `fetchRun(row, index)` only reads what is packed, `unpackRun(run)` gives the scaled weights.
 * What NF4's scales are looked up in lies in workgroup memory, so that no read waits for another.
 */
const RUNS: Readonly<Record<WeightKind, string>> = {
  nf4: `
struct Run { word: u32, scaleCode: u32, scale: f32 }
var<workgroup> scaleMap: array<f32, 256>;
fn fetchRun(row: u32, index: u32) -> Run {
  let block = index >> 6u;
  return Run(weights[index >> 3u], (weights[params.weight0 + (block >> 2u)] >> ((block & 3u) * 8u)) & 255u, bitcast<f32>(weights[params.weight1 + (block >> 8u)]));
}
fn unpackRun(run: Run) -> mat2x4<f32> {
  return mat2x4<f32>(unpack4(run.word), unpack4(run.word >> 16u)) * (scaleMap[run.scaleCode] * run.scale + bitcast<f32>(weights[params.weight2]));
}`,
  int8: `
struct Run { words: vec2<u32>, scale: f32 }
fn fetchRun(row: u32, index: u32) -> Run { return Run(vec2<u32>(weights[index >> 2u], weights[(index >> 2u) + 1u]), weightScale(row, index)); }
fn unpackRun(run: Run) -> mat2x4<f32> { return mat2x4<f32>(unpackBytes(run.words.x), unpackBytes(run.words.y)) * run.scale; }`,
  bf16: `
alias Run = vec4<u32>;
fn fetchRun(row: u32, index: u32) -> Run { let at = index >> 1u; return vec4<u32>(weights[at], weights[at + 1u], weights[at + 2u], weights[at + 3u]); }
fn unpackRun(run: Run) -> mat2x4<f32> { return mat2x4<f32>(unpackPairs(run.x, run.y), unpackPairs(run.z, run.w)); }`,
  f32: `
alias Run = mat2x4<f32>;
fn fetchRun(row: u32, index: u32) -> Run { return weight8(index); }
fn unpackRun(run: Run) -> mat2x4<f32> { return run; }`,
};

/** Functions for runs, after weightFunctions. */
export const runFunctions = (kind: WeightKind): string => RUNS[kind];

/** Statements that put the scales' map into workgroup memory, before weightPrologue. */
export function runPrologue(kind: WeightKind, threads: number): string {
  return kind === 'nf4' ? `for (var i = lid; i < 256u; i += ${threads}u) { scaleMap[i] = bitcast<f32>(weights[params.weight3 + i]); }` : '';
}

/** Statements at the start of an entry point with `lid: u32` of `threads` threads; ends in a barrier where needed. */
export function weightPrologue(kind: WeightKind, threads: number): string {
  if (kind !== 'nf4') return '';
  const codes = Array.from(NF4_CODE, (code) => `${code}f`).join(', ');
  return `
  const codes = array<f32, 16>(${codes});
  for (var i = lid; i < 16u; i += ${threads}u) { codebook[i] = codes[i]; }
  workgroupBarrier();`;
}
