/** Tuning of attention of one new token. */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../../gpu/gpu.ts';
import { classKey, runsOn, tableVariant } from '../../gpu/variants.ts';
import { attentionDecode, DECODE, type DecodeVariant } from '../attention-decode.ts';
import { candidates, F32_TOLERANCE, unlessRefused, wave, type TuningEntry } from './entry.ts';

const [HEADS, KV_HEADS] = [4, 2];
const SHAPE = { heads: HEADS, kvHeads: KV_HEADS };

/** Two sequences that share a prompt of `promptRows` and have added `ownRows` each. */
class Decoding {
  private readonly q: tf.Tensor;
  private readonly cached: tf.Tensor[];
  private readonly spans: tf.Tensor;

  constructor(
    private readonly gpu: Gpu,
    private readonly headDim: number,
    promptRows: number,
    ownRows: number,
  ) {
    const width = KV_HEADS * headDim;
    this.q = gpu.upload(wave(2 * HEADS * headDim, 1), [2, HEADS * headDim]);
    this.cached = [promptRows, promptRows, 2 * ownRows, 2 * ownRows].map((rows, i) => gpu.upload(wave(rows * width, i + 2), [rows, width]));
    this.spans = gpu.upload(Int32Array.of(0, promptRows, 0, ownRows, 0, promptRows, ownRows, ownRows), [2, 4]);
  }

  attend(variant: DecodeVariant): tf.Tensor {
    const [promptKeys, promptValues, ownKeys, ownValues] = this.cached;
    const shape = { ...SHAPE, headDim: this.headDim };
    return attentionDecode(this.gpu, this.q, { keys: promptKeys, values: promptValues }, { keys: ownKeys, values: ownValues }, this.spans, shape, variant);
  }

  close(): void {
    for (const tensor of [this.q, ...this.cached, this.spans]) tensor.dispose();
  }
}

/** @param rows of the prompt that is timed */
export function decodeEntry(gpu: Gpu, headDim: number, rows: number, among = candidates(gpu, DECODE)): TuningEntry {
  const possible = ({ maxHeadDim }: DecodeVariant) => headDim <= maxHeadDim;
  const variants = among.filter((variant) => runsOn(gpu, variant) && possible(variant));
  return {
    key: classKey(DECODE, { headDim }),
    flops: null,
    open() {
      const [small, timed] = [new Decoding(gpu, headDim, 37, 5), new Decoding(gpu, headDim, rows, 16)];
      return {
        tolerance: F32_TOLERANCE,
        byDefault: tableVariant(gpu, DECODE, { headDim }, possible).name,
        contestants: variants.map((variant) => ({
          name: variant.name,
          run: () => timed.attend(variant).dispose(),
          results: () =>
            unlessRefused(gpu, async () => {
              const output = small.attend(variant);
              const result = await gpu.readFloats(output);
              output.dispose();
              return [result];
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
