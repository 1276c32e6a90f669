/** One decoder layer: norm and mixer, norm and MLP, each added to its input. */
import type * as tf from '@tensorflow/tfjs';
import { normBackward, normForward, type NormWeights } from '../../kernels/norm.ts';
import { free } from './free.ts';
import type { LayerState, SequenceState } from './layer-state.ts';
import type { PassContext } from './pass-context.ts';
import type { Mixer } from './mixer.ts';
import type { Mlp } from './mlp.ts';
import type { DecodeStep, TextSequence } from './sequence.ts';

/** Frozen parts of a decoder layer. */
export interface DecoderLayerWeights {
  inputNorm: NormWeights;
  mixer: Mixer;
  postAttentionNorm: NormWeights;
  mlp: Mlp;
}

/** What the backward pass of a layer needs besides its input. */
export interface DecoderLayerSaved {
  normed: tf.Tensor;
  mixer: unknown;
  middle: tf.Tensor;
  normedMiddle: tf.Tensor;
  mlp: unknown;
}

export class DecoderLayer {
  constructor(private readonly weights: DecoderLayerWeights) {}

  /** x [rows, hidden] -> [rows, hidden]; `saved` must be given to backward, capture or discard. */
  forward(context: PassContext, sequence: TextSequence, x: tf.Tensor): { y: tf.Tensor; saved: DecoderLayerSaved } {
    const { gpu } = context;
    const { inputNorm, mixer, postAttentionNorm, mlp } = this.weights;
    const normed = normForward(gpu, x, inputNorm);
    const mixed = mixer.forward(context, sequence, normed, x);
    const middle = mixed.y;
    const normedMiddle = normForward(gpu, middle, postAttentionNorm);
    const { y, saved } = mlp.forward(context, normedMiddle, middle);
    return { y, saved: { normed, mixer: mixed.saved, middle, normedMiddle, mlp: saved } };
  }

  /** Adds adapter gradients; returns the gradient of x, or null when nothing below needs it. Disposes `saved`, not x and dy. */
  backward(context: PassContext, sequence: TextSequence, x: tf.Tensor, saved: DecoderLayerSaved, dy: tf.Tensor, needInput: boolean): tf.Tensor | null {
    const { gpu } = context;
    const { inputNorm, mixer, postAttentionNorm, mlp } = this.weights;
    const dNormedMiddle = mlp.backward(context, saved.normedMiddle, saved.mlp, dy);
    const dMiddle = normBackward(gpu, saved.middle, postAttentionNorm, dNormedMiddle, dy);
    free(dNormedMiddle, saved.normedMiddle, saved.middle);
    const dNormed = mixer.backward(context, sequence, saved.normed, saved.mixer, dMiddle, needInput);
    free(saved.normed);
    const dx = dNormed && normBackward(gpu, x, inputNorm, dNormed, dMiddle);
    free(dNormed, dMiddle);
    return dx;
  }

  /** What golden tests compare of the mixer. */
  activations({ mixer }: DecoderLayerSaved): Readonly<Record<string, tf.Tensor>> {
    return this.weights.mixer.activations?.(mixer) ?? {};
  }

  /** Frees what a forward pass kept when no backward pass follows. */
  discard({ mixer, mlp, ...rest }: DecoderLayerSaved): void {
    this.weights.mixer.discard(mixer);
    this.weights.mlp.discard(mlp);
    free(...Object.values(rest));
  }

  /** Keeps what continuations of the pass's prompts need; frees the rest. */
  capture(context: PassContext, sequence: TextSequence, { mixer, mlp, ...rest }: DecoderLayerSaved): LayerState {
    this.weights.mlp.discard(mlp);
    free(...Object.values(rest));
    return this.weights.mixer.capture(context, sequence, mixer);
  }

  /** One new token for each sequence, x [sequences, hidden] -> the same, without gradient; the state moves on. */
  decode(context: PassContext, step: DecodeStep, x: tf.Tensor, state: SequenceState): tf.Tensor {
    const { gpu } = context;
    const { inputNorm, mixer, postAttentionNorm, mlp } = this.weights;
    const normed = normForward(gpu, x, inputNorm);
    const middle = mixer.decode(context, step, normed, x, state);
    const normedMiddle = normForward(gpu, middle, postAttentionNorm);
    const { y, saved } = mlp.forward(context, normedMiddle, middle);
    mlp.discard(saved);
    free(normed, middle, normedMiddle);
    return y;
  }
}
