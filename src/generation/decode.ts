/** One more token for each sequence of a wave. */
import type * as tf from '@tensorflow/tfjs';
import { free } from '../model/parts/free.ts';
import type { SequenceState } from '../model/parts/layer-state.ts';
import type { PassContext } from '../model/parts/pass-context.ts';
import type { DecodeStep } from '../model/parts/sequence.ts';
import type { VisionLanguageModel } from '../model/vision-language-model.ts';
import type { Sequence } from './chooser.ts';
import type { Prefilled } from './prefill.ts';

/** What sequences continue: their prompts, and layer by layer what they have added. */
export interface WaveState {
  prompts: Prefilled;
  layers: readonly SequenceState[];
  /** Rows that each sequence may add. */
  capacity: number;
}

/**
 * State after each sequence's newest token, [sequences, hidden] after the final norm; the layers take that token in.
 * @param ids int32 [sequences], the newest tokens
 * @param step of the wave; since its start each sequence has got a token a step
 * @param ropeDeltas per prompt of the wave
 */
export function decodeStep(model: VisionLanguageModel, context: PassContext, ids: tf.Tensor, sequences: readonly Sequence[], step: number, ropeDeltas: readonly number[], { prompts, layers, capacity }: WaveState): tf.Tensor {
  const { gpu } = context;
  const count = sequences.length;
  const positions = new Int32Array(3 * count);
  const spans = new Int32Array(4 * count);
  sequences.forEach(({ prompt, slot, start }, i) => {
    const before = step - start;
    for (let axis = 0; axis < 3; axis++) positions[axis * count + i] = prompts.lengths[prompt] + before + ropeDeltas[prompt];
    spans.set([prompts.starts[prompt], prompts.lengths[prompt], slot * capacity, before + 1], 4 * i);
  });
  const decoding: DecodeStep = {
    rotary: model.rotaryOf(positions, count),
    rows: gpu.upload(Int32Array.from(sequences, ({ slot, start }) => slot * capacity + step - start), [count]),
    spans: gpu.upload(spans, [count, 4]),
  };
  const hidden = model.decode(context, decoding, ids, layers);
  free(decoding.rotary.cos, decoding.rotary.sin, decoding.rows, decoding.spans);
  return hidden;
}
