/** Widths of the published models whose steps are compiled. */

/** Attention and MLP of one transformer layer, in the decoder or the vision tower. */
export interface LayerShape {
  name: string;
  hidden: number;
  mlp: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  /** Dimensions of a head that are rotated. */
  rotary: number;
  /** RMSNorm on each head of queries and keys. */
  headNorm: boolean;
  causal: boolean;
}

export const LAYERS: readonly LayerShape[] = [
  { name: 'qwen3-vl-2b', hidden: 2048, mlp: 6144, heads: 16, kvHeads: 8, headDim: 128, rotary: 128, headNorm: true, causal: true },
  { name: 'qwen3-vl-2b vision', hidden: 1024, mlp: 4096, heads: 16, kvHeads: 16, headDim: 64, rotary: 64, headNorm: false, causal: false },
  { name: 'qwen2.5-vl-3b', hidden: 2048, mlp: 11008, heads: 16, kvHeads: 2, headDim: 128, rotary: 128, headNorm: false, causal: true },
  { name: 'qwen2.5-vl-3b vision', hidden: 1280, mlp: 3420, heads: 16, kvHeads: 16, headDim: 80, rotary: 80, headNorm: false, causal: false },
  { name: 'qwen3.5-0.8b', hidden: 1024, mlp: 3584, heads: 8, kvHeads: 2, headDim: 256, rotary: 64, headNorm: true, causal: true },
];

/** Qwen3.5's linear attention. */
export const DELTA = { keyHeads: 16, valueHeads: 16, keyDim: 128, valueDim: 128, taps: 4 };

/** Ranks of one module, and of three that share an input. */
export const RANKS: readonly number[] = [16, 48];
