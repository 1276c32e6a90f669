/** What all variants of packed attention share: bindings, parameters, and how their sources are addressed. */
import { defineKernel, withConstants } from '../gpu/kernel.ts';
import commonWgsl from './attention.wgsl?raw';

/** Compiled in. */
export interface AttentionConstants {
  D: number;
  HEADS: number;
  KV_HEADS: number;
  GROUP: number;
  /** Rows see a prefix besides their own segment. */
  PREFIXED: boolean;
}

const INPUTS = {
  q: 'read array<vec4<f32>>', k: 'read array<vec4<f32>>', v: 'read array<vec4<f32>>',
  // first and one-past-last row of each row's segment
  bounds: 'read array<vec2<u32>>',
  // the same of the prefix that it sees besides
  prefixes: 'read? array<vec2<u32>>',
} as const;
const PARAMS = {
  rows: 'u32', scale: 'f32', causal: 'flag',
  qStride: 'u32', qOffset: 'u32', kStride: 'u32', kOffset: 'u32', vStride: 'u32', vOffset: 'u32',
} as const;

/** The rest of a module: the text after the constants and the functions that address the sources. */
export type AttentionText = (constants: AttentionConstants) => string;

const wgslOf = (text: AttentionText) => (constants: AttentionConstants) => withConstants({ ...constants }, commonWgsl + text(constants));

/** Output, and log Σ exp of the scores in the first half of `stats`; a group (x, y) takes the x-th rows of query head y. */
export const defineForward = (name: string, text: AttentionText) =>
  defineKernel({
    name: `attention forward, ${name}`,
    bindings: { ...INPUTS, o: 'write array<vec4<f32>>', stats: 'write array<vec2<f32>>' },
    params: PARAMS,
    wgsl: wgslOf(text),
  });

/** dq, and Σ dO · O in the second half of `stats`; groups as forward. */
export const defineBackwardQ = (name: string, text: AttentionText) =>
  defineKernel({
    name: `attention backward q, ${name}`,
    bindings: { ...INPUTS, o: 'read array<vec4<f32>>', stats: 'write array<vec2<f32>>', dO: 'read array<vec4<f32>>', dq: 'write array<vec4<f32>>' },
    params: PARAMS,
    wgsl: wgslOf(text),
  });

/** dk and dv, from finished `stats`; a group (x, y) takes the x-th rows of key/value head y. */
export const defineBackwardKv = (name: string, text: AttentionText) =>
  defineKernel({
    name: `attention backward kv, ${name}`,
    bindings: { ...INPUTS, stats: 'read array<vec2<f32>>', dO: 'read array<vec4<f32>>', dk: 'write array<vec4<f32>>', dv: 'write array<vec4<f32>>' },
    params: { ...PARAMS, dvStride: 'u32', dvOffset: 'u32' },
    wgsl: wgslOf(text),
  });
