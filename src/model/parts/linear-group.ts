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
    let h: tf.Tensor | null = null;
    if (adapter && adapted.length > 0) {
      h = gpu.empty([rows, widthOf(adapted)]);
      if (dropout) {
        for (const slot of adapted) {
          const dropped = gpu.empty(x.shape);
          applyDropout(gpu, x, { ...dropout, module: slot.index }, dropped, false);
          matmulForward(gpu, viewOf(dropped), rows, factorA(adapter, slot), columnsOf(h, slot));
          dropped.dispose();
        }
      } else {
        matmulForward(gpu, viewOf(x), rows, floatWeight(adapter.weights, adapted[0].aOffset, widthOf(adapted), adapted[0].inFeatures), viewOf(h));
      }
    }
    const outputs = this.members.map((member, i) => {
      const y = gpu.empty([rows, member.weight.rows]);
      const slot = slots[i];
      matmulForward(gpu, viewOf(x), rows, member.weight, viewOf(y), {
        bias: member.bias,
        add: residual,
        lowRank: slot && { h: columnsOf(h!, slot), factor: adapter!.weights, factorOffset: slot.bOffset, rank: slot.rank, scale: slot.scale },
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
    const g = adapter && adapted.length > 0 ? gpu.empty([rows, widthOf(adapted)]) : null;
    if (adapter && g) {
      const { gradients } = adapter;
      invariant(gradients, 'a frozen adapter has no gradients');
      slots.forEach((slot, i) => {
        if (!slot) return;
        matmulTransposed(gpu, dys[i], rows, floatWeight(adapter.weights, slot.bOffset, slot.outFeatures, slot.rank), columnsOf(g, slot));
        accumulateOuter(gpu, columnsOf(h!, slot), slot.rank, dys[i], slot.outFeatures, rows, slot.scale, { buffer: gradients, offset: slot.bOffset, strideI: 1, strideJ: slot.rank });
        if (dropout) {
          const dropped = gpu.empty(x.shape);
          applyDropout(gpu, x, { ...dropout, module: slot.index }, dropped, false);
          accumulateA(gpu, adapter, columnsOf(g, slot), slot.rank, dropped, slot);
          dropped.dispose();
        }
      });
      if (!dropout) {
        const alike = adapted.every(({ scale }) => scale === adapted[0].scale);
        if (alike) accumulateA(gpu, adapter, viewOf(g), widthOf(adapted), x, adapted[0]);
        else for (const slot of adapted) accumulateA(gpu, adapter, columnsOf(g, slot), slot.rank, x, slot);
      }
    }
    let dx: tf.Tensor | null = null;
    if (needInput) {
      const total = (dx = gpu.empty(x.shape));
      this.members.forEach((member, i) => {
        const slot = slots[i];
        const inline = slot && !dropout;
        matmulTransposed(gpu, dys[i], rows, member.weight, viewOf(total), {
          add: i > 0 ? 'self' : undefined,
          lowRank: inline ? { h: columnsOf(g!, slot), factor: adapter!.weights, factorOffset: slot.aOffset, rank: slot.rank, scale: slot.scale } : undefined,
        });
      });
      if (adapter && dropout) {
        for (const slot of adapted) addDroppedInputGradient(gpu, adapter, dropout, g!, slot, total);
      }
    }
    g?.dispose();
    return dx;
  }

  private slotsOf(adapter: AdapterWeights | null): (AdapterSlot | undefined)[] {
    return this.members.map((member) => adapter?.slots.get(member.path));
  }
}

/** Gradient through dropout: s · mask · (G A). */
export function addDroppedInputGradient(gpu: Gpu, adapter: AdapterWeights, dropout: NonNullable<PassContext['dropout']>, g: tf.Tensor, slot: AdapterSlot, total: tf.Tensor): void {
  const branch = gpu.empty(total.shape);
  matmulTransposed(gpu, columnsOf(g, slot), total.shape[0], factorA(adapter, slot), viewOf(branch));
  applyDropout(gpu, branch, { ...dropout, module: slot.index }, total, true, slot.scale);
  branch.dispose();
}

/** Adds the gradient of A, or of several that lie side by side from `first` on. */
export function accumulateA(gpu: Gpu, adapter: AdapterWeights, g: MatrixView, count: number, x: tf.Tensor, first: AdapterSlot): void {
  const { inFeatures } = first;
  accumulateOuter(gpu, g, count, viewOf(x), inFeatures, x.shape[0], first.scale, { buffer: adapter.gradients!, offset: first.aOffset, strideI: inFeatures, strideJ: 1 });
}

export function factorA(adapter: AdapterWeights, slot: AdapterSlot): GpuWeight {
  return floatWeight(adapter.weights, slot.aOffset, slot.rank, slot.inFeatures);
}

/** Ranks of a group side by side. */
function widthOf(slots: readonly AdapterSlot[]): number {
  return slots.reduce((sum, { rank }) => sum + rank, 0);
}

/** A module's columns among its group's. The first adapted module of a group starts at 0: groups hold adapted modules only. */
function columnsOf(stacked: tf.Tensor, slot: AdapterSlot): MatrixView {
  return { data: stacked, stride: stacked.shape[1]!, offset: slot.column };
}
