/** The trainable part of the model: LoRA factors with gradients and AdamW moments of the same layout. */
import type { Gpu } from '../gpu/gpu.ts';
import type { AdamWBuffers } from '../kernels/adamw.ts';
import { philox4x32 } from '../processing/philox.ts';
import type { AdapterTensor } from '../checkpoint/adapter-tensor.ts';
import { AdapterWeights, type AdaptedModule, type AdapterOptions } from './adapter-weights.ts';

export class AdapterArena extends AdapterWeights {
  override readonly gradients: GPUBuffer;
  readonly buffers: AdamWBuffers;

  /** @param groups modules by shared input, in model order */
  constructor(gpu: Gpu, groups: readonly (readonly AdaptedModule[])[], options: AdapterOptions) {
    super(gpu, groups, options);
    const { count, weights } = this;
    const [gradients, m, v] = [0, 1, 2].map(() => gpu.createBuffer(count * 4));
    this.gradients = gradients;
    this.buffers = { count, weights, gradients, m, v };
  }

  /** Trainable values, without alignment gaps. */
  get trainableParameters(): number {
    let sum = 0;
    for (const { inFeatures, outFeatures, rank } of this.slots.values()) sum += rank * (inFeatures + outFeatures);
    return sum;
  }

  /** PEFT's start: A uniform in ±1/√in, B zero; the same for the same seed. Clears optimizer state. */
  initialize(): void {
    const weights = new Float32Array(this.buffers.count);
    for (const slot of this.slots.values()) {
      const bound = 1 / Math.sqrt(slot.inFeatures);
      const size = slot.rank * slot.inFeatures;
      for (let i = 0; i < size; i += 4) {
        const random = philox4x32([i >>> 2, slot.index, 1, 0], [this.options.seed >>> 0, 0]);
        for (let c = 0; c < 4 && i + c < size; c++) weights[slot.aOffset + i + c] = ((random[c] >>> 8) / 2 ** 23 - 1) * bound;
      }
    }
    this.gpu.writeBuffer(this.buffers.weights, weights);
    const zeros = new Float32Array(this.buffers.count);
    for (const buffer of [this.buffers.gradients, this.buffers.m, this.buffers.v]) this.gpu.writeBuffer(buffer, zeros);
  }

  /** Factors by tensor name, e.g. "….q_proj.lora_A.weight". */
  read(part: 'weights' | 'gradients' | 'm' | 'v'): Promise<AdapterTensor[]> {
    return this.take(this.buffers[part]);
  }

  /**
   * @throws LorikeetError "adapter" when a tensor is missing, unknown or of another shape
   */
  write(part: 'weights' | 'gradients' | 'm' | 'v', tensors: readonly AdapterTensor[]): void {
    this.fill(this.buffers[part], tensors);
  }

  override dispose(): void {
    super.dispose();
    for (const buffer of [this.buffers.gradients, this.buffers.m, this.buffers.v]) this.gpu.destroyBuffer(buffer);
  }
}
