/** The tokens of the last few steps, kept on the GPU until they are read together. */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../gpu/gpu.ts';
import { free } from '../model/parts/free.ts';
import type { Choice } from './chooser.ts';

/** Steps between looks at what was generated: reading waits for the GPU. */
export const STEPS_PER_READ = 8;

/** Steps × sequences values. */
export interface ReadTokens {
  ids: Int32Array;
  /** See ArgmaxTokens; null where nobody asked. */
  sums: Float32Array | null;
}

export class Recent {
  private readonly ids: tf.Tensor;
  private readonly sums: tf.Tensor | null;

  /** @param sequences that choose together */
  constructor(
    private readonly gpu: Gpu,
    private readonly sequences: number,
    withSums: boolean,
  ) {
    this.ids = gpu.empty([STEPS_PER_READ, sequences], 'int32');
    this.sums = withSums ? gpu.empty([STEPS_PER_READ, sequences]) : null;
  }

  /** Keeps a step's choice as number `step` since the last reading. */
  take(choice: Choice, step: number): void {
    const bytes = this.sequences * 4;
    this.gpu.copy(choice.ids, 0, this.ids, step * bytes, bytes);
    if (this.sums && choice.sums) this.gpu.copy(choice.sums, 0, this.sums, step * bytes, bytes);
  }

  async read(steps: number): Promise<ReadTokens> {
    const count = steps * this.sequences;
    const [ids, sums] = await Promise.all([this.gpu.readInts(this.ids, count), this.sums && this.gpu.readFloats(this.sums, count)]);
    return { ids, sums };
  }

  dispose(): void {
    free(this.ids, this.sums);
  }
}
