/** The language model's head: the embedding table again or a matrix of its own, which may carry an adapter. */
import type * as tf from '@tensorflow/tfjs';
import { argmaxToken, type ArgmaxTokens } from '../../kernels/argmax.ts';
import type { GpuTable } from '../../kernels/embedding.ts';
import type { HeadBranch } from '../../kernels/head-pieces.ts';
import { tokenLogProbs, type LogProbOptions, type TokenLogProbs } from '../../kernels/log-probs.ts';
import { applyDropout } from '../../kernels/dropout.ts';
import { matmulForward, viewOf } from '../../kernels/matmul.ts';
import { headLogits } from '../../kernels/sample.ts';
import type { AdapterSlot, AdapterWeights } from '../adapter-weights.ts';
import { accumulateA, addDroppedInputGradient, factorA } from './linear-group.ts';
import type { PassContext } from './pass-context.ts';

const PATH = 'lm_head';

export class Head {
  constructor(readonly table: GpuTable) {}

  /** Logits of every token [rows, vocabulary] of hidden [rows, hidden]. */
  logits(context: PassContext, hidden: tf.Tensor): tf.Tensor {
    const branch = this.branch(context, hidden);
    const logits = headLogits(context.gpu, hidden, this.table, branch?.part);
    branch?.part.h.dispose();
    return logits;
  }

  /** The highest logit of each row, and how it stands to the others where `withSums` asks. */
  argmax(context: PassContext, hidden: tf.Tensor, withSums = false): ArgmaxTokens {
    const branch = this.branch(context, hidden);
    const tokens = argmaxToken(context.gpu, hidden, this.table, branch?.part, withSums);
    branch?.part.h.dispose();
    return tokens;
  }

  /**
   * −log p of targets, with a gradient that reaches hidden and the head's adapter.
   * @param hidden [L, hidden] after the final norm
   */
  logProbs(context: PassContext, hidden: tf.Tensor, targets: tf.Tensor, options: LogProbOptions): TokenLogProbs {
    const { gpu, dropout } = context;
    const branch = this.branch(context, hidden);
    if (!branch) return tokenLogProbs(gpu, hidden, this.table, targets, options);
    const { adapter, slot, part } = branch;
    const computed = tokenLogProbs(gpu, hidden, this.table, targets, { ...options, branch: part });
    return {
      ...computed,
      dispose() {
        computed.dispose();
        part.h.dispose();
      },
      backward(rowWeights) {
        const g = gpu.empty([hidden.shape[0], slot.rank]);
        const dHidden = computed.backward(rowWeights, { g, gradients: adapter.gradients! });
        const seen = dropout ? gpu.empty(hidden.shape) : hidden;
        if (dropout) applyDropout(gpu, hidden, { ...dropout, module: slot.index }, seen, false);
        accumulateA(gpu, adapter, viewOf(g), slot.rank, seen, slot);
        if (dropout) seen.dispose();
        addDroppedInputGradient(gpu, adapter, dropout ?? NO_DROPOUT, g, slot, dHidden);
        g.dispose();
        return dHidden;
      },
    };
  }

  /** The adapter's branch, with its product A · hidden. */
  private branch({ gpu, adapter, dropout }: PassContext, hidden: tf.Tensor): { adapter: AdapterWeights; slot: AdapterSlot; part: HeadBranch } | null {
    const slot = adapter?.slots.get(PATH);
    if (!adapter || !slot) return null;
    const rows = hidden.shape[0];
    const h = gpu.empty([rows, slot.rank]);
    const seen = dropout ? gpu.empty(hidden.shape) : hidden;
    if (dropout) applyDropout(gpu, hidden, { ...dropout, module: slot.index }, seen, false);
    matmulForward(gpu, viewOf(seen), rows, factorA(adapter, slot), viewOf(h));
    if (dropout) seen.dispose();
    return { adapter, slot, part: { h, factor: adapter.weights, offset: slot.bOffset, rank: slot.rank, scale: slot.scale } };
  }
}

const NO_DROPOUT = { p: 0, seed: 0, step: 0 };
