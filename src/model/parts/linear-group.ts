/** Linear layers that read the same input: packed base weights plus LoRA, forward and backward. */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../../gpu/gpu.ts';
import { applyDropout } from '../../kernels/dropout.ts';
import { floatWeight, matmulForward, matmulTransposed, viewOf, type GpuWeight, type MatrixView } from '../../kernels/matmul.ts';
import { accumulateOuter } from '../../kernels/outer.ts';
import { invariant } from '../../protocol/errors.ts';
import type { AdapterSlot, AdapterWeights } from '../adapter-weights.ts';
import type { PassContext } from './pass-context.ts';

/** A frozen y = W x + b. */
export interface Linear {
  path: string;
  weight: GpuWeight;
  bias?: GPUBuffer;
}

/** Products with the A factors, kept for the backward pass; null without adapter. */
export type LowRankInputs = tf.Tensor | null;

export interface GroupResult {
  outputs: tf.Tensor[];
  h: LowRankInputs;
}

export class LinearGroup {
  constructor(readonly members: readonly Linear[]) {}

  /**
   * y_i = W_i x + b_i + s · B_i A_i dropout(x) (+ residual_i).
   * @param x [rows, in]
   * @param residual added to the only output
   */
  forward({ gpu, adapter, dropout }: PassContext, x: tf.Tensor, residual?: tf.Tensor): GroupResult {
    invariant(!residual || this.members.length === 1, 'a residual needs a single output');
    const rows = x.shape[0];
    const slots = this.slotsOf(adapter);
    const adapted = slots.filter((slot) => slot !== undefined);
    const rank = adapter?.rank ?? 0;
    let h: tf.Tensor | null = null;
    if (adapter && adapted.length > 0) {
      h = gpu.empty([rows, adapted.length * rank]);
      if (dropout) {
        adapted.forEach((slot, i) => {
          const dropped = gpu.empty(x.shape);
          applyDropout(gpu, x, { ...dropout, module: slot.index }, dropped, false);
          matmulForward(gpu, viewOf(dropped), rows, this.factorA(adapter, slot), this.columnsOf(h!, i, rank));
          dropped.dispose();
        });
      } else {
        const stacked = floatWeight(adapter.weights, adapted[0].aOffset, adapted.length * rank, adapted[0].inFeatures);
        matmulForward(gpu, viewOf(x), rows, stacked, viewOf(h));
      }
    }
    const outputs = this.members.map((member, i) => {
      const y = gpu.empty([rows, member.weight.rows]);
      const slot = slots[i];
      matmulForward(gpu, viewOf(x), rows, member.weight, viewOf(y), {
        bias: member.bias,
        add: residual,
        lowRank: slot && { h: this.columnsOf(h!, adapted.indexOf(slot), rank), factor: adapter!.weights, factorOffset: slot.bOffset, rank, scale: adapter!.scale },
      });
      return y;
    });
    return { outputs, h };
  }

  /**
   * Adds the factors' gradients to the arena and returns the gradient of x, or null when `needInput` is false.
   * @param dys gradients of the outputs, in member order
   */
  backward({ gpu, adapter, dropout }: PassContext, x: tf.Tensor, h: LowRankInputs, dys: readonly MatrixView[], needInput: boolean): tf.Tensor | null {
    const rows = x.shape[0];
    const slots = this.slotsOf(adapter);
    const adapted = slots.filter((slot) => slot !== undefined);
    const rank = adapter?.rank ?? 0;
    const g = adapter && adapted.length > 0 ? gpu.empty([rows, adapted.length * rank]) : null;
    if (adapter && g) {
      const { gradients } = adapter;
      invariant(gradients, 'a frozen adapter has no gradients');
      slots.forEach((slot, i) => {
        if (!slot) return;
        const at = adapted.indexOf(slot);
        matmulTransposed(gpu, dys[i], rows, floatWeight(adapter.weights, slot.bOffset, slot.outFeatures, rank), this.columnsOf(g, at, rank));
        accumulateOuter(gpu, this.columnsOf(h!, at, rank), rank, dys[i], slot.outFeatures, rows, adapter.scale, { buffer: gradients, offset: slot.bOffset, strideI: 1, strideJ: rank });
        if (dropout) {
          const dropped = gpu.empty(x.shape);
          applyDropout(gpu, x, { ...dropout, module: slot.index }, dropped, false);
          this.accumulateA(gpu, adapter, this.columnsOf(g, at, rank), rank, dropped, slot);
          dropped.dispose();
        }
      });
      if (!dropout) this.accumulateA(gpu, adapter, viewOf(g), adapted.length * rank, x, adapted[0]);
    }
    let dx: tf.Tensor | null = null;
    if (needInput) {
      const total = (dx = gpu.empty(x.shape));
      this.members.forEach((member, i) => {
        const slot = slots[i];
        const inline = slot && !dropout;
        matmulTransposed(gpu, dys[i], rows, member.weight, viewOf(total), {
          add: i > 0 ? 'self' : undefined,
          lowRank: inline
            ? { h: this.columnsOf(g!, adapted.indexOf(slot), rank), factor: adapter!.weights, factorOffset: slot.aOffset, rank, scale: adapter!.scale }
            : undefined,
        });
      });
      if (adapter && dropout) {
        for (const [at, slot] of adapted.entries()) this.addDroppedInputGradient(gpu, adapter, dropout, g!, at, slot, total);
      }
    }
    g?.dispose();
    return dx;
  }

  /** Gradient through dropout: s · mask · (G A). */
  private addDroppedInputGradient(gpu: Gpu, adapter: AdapterWeights, dropout: NonNullable<PassContext['dropout']>, g: tf.Tensor, at: number, slot: AdapterSlot, total: tf.Tensor): void {
    const rows = total.shape[0];
    const branch = gpu.empty(total.shape);
    matmulTransposed(gpu, this.columnsOf(g, at, adapter.rank), rows, this.factorA(adapter, slot), viewOf(branch));
    applyDropout(gpu, branch, { ...dropout, module: slot.index }, total, true, adapter.scale);
    branch.dispose();
  }

  private accumulateA(gpu: Gpu, adapter: AdapterWeights, g: MatrixView, count: number, x: tf.Tensor, first: AdapterSlot): void {
    const { inFeatures } = first;
    accumulateOuter(gpu, g, count, viewOf(x), inFeatures, x.shape[0], adapter.scale, { buffer: adapter.gradients!, offset: first.aOffset, strideI: inFeatures, strideJ: 1 });
  }

  private factorA(adapter: AdapterWeights, slot: AdapterSlot): GpuWeight {
    return floatWeight(adapter.weights, slot.aOffset, adapter.rank, slot.inFeatures);
  }

  private slotsOf(adapter: AdapterWeights | null): (AdapterSlot | undefined)[] {
    return this.members.map((member) => adapter?.slots.get(member.path));
  }

  private columnsOf(stacked: tf.Tensor, index: number, rank: number): MatrixView {
    return { data: stacked, stride: stacked.shape[1]!, offset: index * rank };
  }
}
