/** The pass that layers are in. */
import type { Gpu } from '../../gpu/gpu.ts';
import type { AdapterWeights } from '../adapter-weights.ts';

/** What layers need to know of the pass they are in. */
export interface PassContext {
  gpu: Gpu;
  /** null: base model alone. */
  adapter: AdapterWeights | null;
  /** null: evaluation, no dropout. `step` counts micro-batches. */
  dropout: { p: number; seed: number; step: number } | null;
  /** Called after each layer has been recorded, forward and backward. */
  milestone?: () => void;
}

/** Contexts of a pass: with the adapter in training, with it but without dropout, or without it. */
export function passContext(gpu: Gpu, adapter: AdapterWeights | null, dropoutStep: number | null): PassContext {
  const p = adapter?.options.loraDropout ?? 0;
  return { gpu, adapter, dropout: adapter && dropoutStep !== null && p > 0 ? { p, seed: adapter.options.seed, step: dropoutStep } : null };
}
