/** All LoRA factors in one flat buffer, with gradients and AdamW moments of the same layout. */
import { loraScaling } from '../checkpoint/adapter-config.ts';
import type { Gpu } from '../gpu/gpu.ts';
import type { AdamWBuffers } from '../kernels/adamw.ts';
import { LorikeetError, invariant } from '../protocol/errors.ts';
import { philox4x32 } from '../processing/philox.ts';
import type { AdapterTensor } from '../training/model-contract.ts';

/** A linear layer that takes an adapter. */
export interface AdaptedModule {
  /** e.g. "model.language_model.layers.0.self_attn.q_proj" */
  path: string;
  outFeatures: number;
  inFeatures: number;
}

/** Where a module's factors lie, in floats. */
export interface AdapterSlot {
  path: string;
  /** Position in the list of adapted modules; tells dropout masks apart. */
  index: number;
  outFeatures: number;
  inFeatures: number;
  /** A [r, in] */
  aOffset: number;
  /** B [out, r] */
  bOffset: number;
}

export interface AdapterOptions {
  r: number;
  loraAlpha: number;
  loraDropout: number;
  useRslora: boolean;
  seed: number;
}

/** The trainable part of the model. Modules that share an input must be given one after another: their A factors then form one matrix. */
export class AdapterArena {
  readonly rank: number;
  /** α / r, or α / √r with rsLoRA. */
  readonly scale: number;
  readonly slots: ReadonlyMap<string, AdapterSlot>;
  readonly buffers: AdamWBuffers;

  /** @param groups modules by shared input, in model order */
  constructor(
    private readonly gpu: Gpu,
    groups: readonly (readonly AdaptedModule[])[],
    readonly options: AdapterOptions,
  ) {
    const { r } = options;
    this.rank = r;
    this.scale = loraScaling({ r, lora_alpha: options.loraAlpha, use_rslora: options.useRslora });
    const slots = new Map<string, AdapterSlot>();
    let count = 0;
    const take = (size: number): number => {
      const at = count;
      count += Math.ceil(size / 4) * 4;
      return at;
    };
    for (const group of groups) {
      let next = take(group.reduce((sum, module) => sum + r * module.inFeatures, 0));
      for (const { path, outFeatures, inFeatures } of group) {
        slots.set(path, { path, index: slots.size, outFeatures, inFeatures, aOffset: next, bOffset: 0 });
        next += r * inFeatures;
      }
      for (const module of group) slots.get(module.path)!.bOffset = take(module.outFeatures * r);
    }
    this.slots = slots;
    const bytes = count * 4;
    if (bytes > gpu.device.limits.maxStorageBufferBindingSize) {
      throw new LorikeetError('out-of-memory', `The adapter of rank ${r} needs ${Math.round(bytes / 2 ** 20)} MB in one buffer, more than this GPU binds.`, 'Lower the rank r or adapt fewer modules.', { field: 'r' });
    }
    this.buffers = { count, weights: gpu.createBuffer(bytes), gradients: gpu.createBuffer(bytes), m: gpu.createBuffer(bytes), v: gpu.createBuffer(bytes) };
  }

  /** Trainable values, without alignment gaps. */
  get trainableParameters(): number {
    let sum = 0;
    for (const { inFeatures, outFeatures } of this.slots.values()) sum += this.rank * (inFeatures + outFeatures);
    return sum;
  }

  /** PEFT's start: A uniform in ±1/√in, B zero; the same for the same seed. Clears optimizer state. */
  initialize(): void {
    const weights = new Float32Array(this.buffers.count);
    for (const slot of this.slots.values()) {
      const bound = 1 / Math.sqrt(slot.inFeatures);
      const size = this.rank * slot.inFeatures;
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
  async read(part: 'weights' | 'gradients' | 'm' | 'v'): Promise<AdapterTensor[]> {
    const values = await this.gpu.readFloats(this.buffers[part], this.buffers.count);
    return [...this.factors()].map(({ name, offset, shape }) => ({ name, shape, data: values.slice(offset, offset + shape[0] * shape[1]) }));
  }

  /**
   * @throws LorikeetError "adapter" when a tensor is missing, unknown or of another shape
   */
  write(part: 'weights' | 'gradients' | 'm' | 'v', tensors: readonly AdapterTensor[]): void {
    const values = new Float32Array(this.buffers.count);
    const given = new Map(tensors.map((tensor) => [tensor.name, tensor]));
    for (const { name, offset, shape } of this.factors()) {
      const tensor = given.get(name);
      if (!tensor) throw new LorikeetError('adapter', `The adapter has no tensor ${name}.`, 'Use an adapter with the same target modules.', { field: name });
      if (tensor.shape.join() !== shape.join()) {
        throw new LorikeetError('adapter', `Tensor ${name} has shape [${tensor.shape.join(', ')}], expected [${shape.join(', ')}].`, 'Use an adapter of the same rank and base model.', { field: name });
      }
      values.set(tensor.data, offset);
      given.delete(name);
    }
    const [unknown] = given.keys();
    if (unknown !== undefined) throw new LorikeetError('adapter', `The adapter has a tensor ${unknown} that this model does not adapt.`, 'Use an adapter with the same target modules.', { field: unknown });
    this.gpu.writeBuffer(this.buffers[part], values);
  }

  dispose(): void {
    const { weights, gradients, m, v } = this.buffers;
    for (const buffer of [weights, gradients, m, v]) this.gpu.destroyBuffer(buffer);
  }

  private *factors(): Generator<{ name: string; offset: number; shape: [number, number] }> {
    for (const { path, outFeatures, inFeatures, aOffset, bOffset } of this.slots.values()) {
      invariant(outFeatures > 0 && inFeatures > 0, `module ${path} has no size`);
      yield { name: `${path}.lora_A.weight`, offset: aOffset, shape: [this.rank, inFeatures] };
      yield { name: `${path}.lora_B.weight`, offset: bOffset, shape: [outFeatures, this.rank] };
    }
  }
}
