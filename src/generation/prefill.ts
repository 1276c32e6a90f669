/** The prompts' own pass: what layers keep of them, and the state that each first token is chosen from. */
import type * as tf from '@tensorflow/tfjs';
import { gatherRows } from '../kernels/rows.ts';
import { free } from '../model/parts/free.ts';
import type { LayerState } from '../model/parts/layer-state.ts';
import type { VisionFeatures } from '../model/parts/vision-tower.ts';
import type { PassContext } from '../model/parts/pass-context.ts';
import type { VisionLanguageModel } from '../model/vision-language-model.ts';
import { sampleLengths } from '../processing/slice-batch.ts';
import type { PackedBatch } from '../processing/types.ts';

/** Prompts ready to be continued. */
export interface Prefilled {
  /** Per layer. */
  states: readonly LayerState[];
  /** [prompts, hidden] after the final norm, at each prompt's last token. */
  last: tf.Tensor;
  /** First row of each prompt in the pass. */
  starts: number[];
  lengths: number[];
  /** Token ids of each prompt, image tokens included. */
  ids: Int32Array[];
  dispose(): void;
}

/** @param seen what the vision tower made of the prompts' pictures; without it the pass looks for itself */
export function prefill(model: VisionLanguageModel, context: PassContext, prompts: PackedBatch, seen: VisionFeatures | null = null): Prefilled {
  const { gpu } = context;
  const lengths = sampleLengths(prompts);
  const starts: number[] = [];
  lengths.reduce((start, length) => (starts.push(start), start + length), 0);
  const { hidden, states } = model.prefill(context, prompts, seen);
  const lastRows = gpu.upload(Int32Array.from(starts, (start, p) => start + lengths[p] - 1), [starts.length]);
  const last = gatherRows(gpu, hidden, lastRows);
  free(hidden, lastRows);
  return {
    states,
    last,
    starts,
    lengths,
    ids: starts.map((start, p) => prompts.inputIds.subarray(start, start + lengths[p])),
    dispose() {
      for (const state of states) state.dispose();
      last.dispose();
    },
  };
}
