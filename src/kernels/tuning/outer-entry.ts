/** Tuning of the gradients of LoRA factors. */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../../gpu/gpu.ts';
import { classKey, runsOn, tableVariant } from '../../gpu/variants.ts';
import { viewOf } from '../matmul.ts';
import { accumulateOuter, OUTER_PRODUCTS, type OuterRequest, type OuterVariant } from '../outer.ts';
import { candidates, F32_TOLERANCE, unlessRefused, wave, type TuningEntry } from './entry.ts';

/** No whole number of any variant's tiles. */
const ODD = { countI: 20, countJ: 132 };

class Outer {
  private readonly factors: tf.Tensor[];
  private readonly gradient: GPUBuffer;

  constructor(
    private readonly gpu: Gpu,
    private readonly request: OuterRequest,
  ) {
    const { rows, countI, countJ } = request;
    this.factors = [countI, countJ].map((count, i) => gpu.upload(wave(rows * count, i + 1), [rows, count]));
    this.gradient = gpu.createBuffer(4 * countI * countJ);
  }

  accumulate(variant: OuterVariant): void {
    const { gpu, factors, gradient, request } = this;
    const [p, q] = factors.map(viewOf);
    accumulateOuter(gpu, p, request.countI, q, request.countJ, request.rows, 1, { buffer: gradient, offset: 0, strideI: request.countJ, strideJ: 1 }, variant);
  }

  /** The sum of one accumulation alone. */
  async result(variant: OuterVariant): Promise<Float32Array> {
    const { gpu, gradient, request } = this;
    gpu.writeBuffer(gradient, new Float32Array(request.countI * request.countJ));
    this.accumulate(variant);
    return gpu.readFloats(gradient, request.countI * request.countJ);
  }

  close(): void {
    for (const factor of this.factors) factor.dispose();
    this.gpu.destroyBuffer(this.gradient);
  }
}

export function outerEntry(gpu: Gpu, request: OuterRequest, among = candidates(gpu, OUTER_PRODUCTS)): TuningEntry {
  const variants = among.filter((variant) => runsOn(gpu, variant));
  return {
    key: classKey(OUTER_PRODUCTS, request),
    flops: 2 * request.rows * request.countI * request.countJ,
    open() {
      const [small, timed] = [new Outer(gpu, { ...request, ...ODD }), new Outer(gpu, request)];
      return {
        tolerance: F32_TOLERANCE,
        byDefault: tableVariant(gpu, OUTER_PRODUCTS, request).name,
        contestants: variants.map((variant) => ({
          name: variant.name,
          run: () => timed.accumulate(variant),
          results: () => unlessRefused(gpu, async () => [await small.result(variant)]),
        })),
        close() {
          small.close();
          timed.close();
        },
      };
    },
  };
}
