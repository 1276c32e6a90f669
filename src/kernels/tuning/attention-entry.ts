/** Tuning of attention, forward and backward together: both take the same form. */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../../gpu/gpu.ts';
import { classKey, runsOn, tableVariant } from '../../gpu/variants.ts';
import { attentionBackward, attentionForward, type AttentionShape } from '../attention.ts';
import { ATTENTION, canAttend, type AttentionVariant } from '../attention-variants.ts';
import { viewOf } from '../matmul.ts';
import { candidates, F32_TOLERANCE, unlessRefused, wave, type TuningEntry } from './entry.ts';

/** Segments of the check: across tiles, alone, and shorter than one. */
const ODD_SEGMENTS = [37, 1, 20];
const [HEADS, KV_HEADS] = [4, 2];

/** Packed segments with a gradient of the output. */
class Attention {
  private readonly shape: AttentionShape;
  private readonly inputs: tf.Tensor[];
  private readonly bounds: tf.Tensor;
  private readonly dO: tf.Tensor;

  constructor(
    private readonly gpu: Gpu,
    headDim: number,
    segments: readonly number[],
  ) {
    const rows = segments.reduce((a, b) => a + b);
    this.shape = { rows, heads: HEADS, kvHeads: KV_HEADS, headDim, causal: true };
    const [queries, keys] = [HEADS * headDim, KV_HEADS * headDim];
    this.inputs = [queries, keys, keys].map((width, i) => gpu.upload(wave(rows * width, i + 1), [rows, width]));
    this.dO = gpu.upload(wave(rows * queries, 4), [rows, queries]);
    const bounds: number[] = [];
    for (const length of segments) {
      const first = bounds.length / 2;
      for (let i = 0; i < length; i++) bounds.push(first, first + length);
    }
    this.bounds = gpu.upload(Int32Array.from(bounds), [rows, 2]);
  }

  /** Output and gradients of q, k and v, to be disposed of. */
  compute(variant: AttentionVariant): tf.Tensor[] {
    const { gpu, shape, bounds, dO } = this;
    const [q, k, v] = this.inputs.map(viewOf);
    const inputs = { q, k, v, bounds };
    const result = attentionForward(gpu, inputs, shape, variant);
    const dv = gpu.empty([shape.rows, shape.kvHeads * shape.headDim]);
    const { dq, dk } = attentionBackward(gpu, inputs, shape, result, dO, viewOf(dv), variant);
    result.stats.dispose();
    return [result.output, dq, dk, dv];
  }

  close(): void {
    for (const tensor of [...this.inputs, this.bounds, this.dO]) tensor.dispose();
  }
}

/** @param rows of the two segments that are timed, together */
export function attentionEntry(gpu: Gpu, headDim: number, rows: number, among = candidates(gpu, ATTENTION)): TuningEntry {
  const possible = (variant: AttentionVariant) => canAttend(gpu, variant, headDim);
  const variants = among.filter((variant) => runsOn(gpu, variant) && possible(variant));
  const segment = Math.ceil(rows / 2);
  // Half of all pairs of rows; two products forward, five backward.
  const flops = 2 * 7 * 2 * (segment ** 2 / 2) * headDim * HEADS;
  return {
    key: classKey(ATTENTION, { headDim }),
    flops,
    open() {
      const [small, timed] = [new Attention(gpu, headDim, ODD_SEGMENTS), new Attention(gpu, headDim, [segment, segment])];
      return {
        tolerance: F32_TOLERANCE,
        byDefault: tableVariant(gpu, ATTENTION, { headDim }, possible).name,
        contestants: variants.map((variant) => ({
          name: variant.name,
          run: () => timed.compute(variant).forEach((tensor) => tensor.dispose()),
          results: () =>
            unlessRefused(gpu, async () => {
              const tensors = small.compute(variant);
              const results = await Promise.all(tensors.map((tensor) => gpu.readFloats(tensor)));
              for (const tensor of tensors) tensor.dispose();
              return results;
            }),
        })),
        close() {
          small.close();
          timed.close();
        },
      };
    },
  };
}
