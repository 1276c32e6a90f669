/** LoRA factors in one flat buffer, as many as a forward pass needs: the reference model, and the base of what is trained. */
import type { Gpu } from '../gpu/gpu.ts';
import { LorikeetError, invariant } from '../protocol/errors.ts';
import type { AdapterTensor } from '../checkpoint/adapter-tensor.ts';

/** A linear layer that takes an adapter. */
export interface AdaptedModule {
  /** e.g. "model.language_model.layers.0.self_attn.q_proj" */
  path: string;
  outFeatures: number;
  inFeatures: number;
  r: number;
  /** Factor before B·A·x. */
  scale: number;
}

/** Where a module's factors lie, in floats. */
export interface AdapterSlot {
  path: string;
  /** Position in the list of adapted modules; tells dropout masks apart. */
  index: number;
  outFeatures: number;
  inFeatures: number;
  rank: number;
  scale: number;
  /** First column of the module's products with A among those of its group. */
  column: number;
  /** A [r, in] */
  aOffset: number;
  /** B [out, r] */
  bOffset: number;
}

export interface AdapterOptions {
  loraDropout: number;
  seed: number;
}

/** Modules that share an input must be given one after another: their A factors then form one matrix. */
export class AdapterWeights {
  readonly slots: ReadonlyMap<string, AdapterSlot>;
  /** Floats of the flat layout, alignment gaps included. */
  readonly count: number;
  readonly weights: GPUBuffer;
  /** Same layout; null where nothing is trained. */
  readonly gradients: GPUBuffer | null = null;

  /**
   * Values are undefined until they are written.
   * @param groups modules by shared input, in model order
   * @throws LorikeetError "out-of-memory" when the factors do not fit into one binding
   */
  constructor(
    protected readonly gpu: Gpu,
    groups: readonly (readonly AdaptedModule[])[],
    readonly options: AdapterOptions,
  ) {
    const slots = new Map<string, AdapterSlot>();
    let count = 0;
    const take = (size: number): number => {
      const at = count;
      count += Math.ceil(size / 4) * 4;
      return at;
    };
    for (const group of groups) {
      let next = take(group.reduce((sum, { r, inFeatures }) => sum + r * inFeatures, 0));
      let column = 0;
      for (const { path, outFeatures, inFeatures, r, scale } of group) {
        slots.set(path, { path, index: slots.size, outFeatures, inFeatures, rank: r, scale, column, aOffset: next, bOffset: 0 });
        next += r * inFeatures;
        column += r;
      }
      for (const { path, outFeatures, r } of group) slots.get(path)!.bOffset = take(outFeatures * r);
    }
    this.slots = slots;
    const bytes = count * 4;
    if (bytes > gpu.device.limits.maxStorageBufferBindingSize) {
      throw new LorikeetError('out-of-memory', `The adapter needs ${Math.round(bytes / 2 ** 20)} MB in one buffer, more than this GPU binds.`, 'Lower the rank r or adapt fewer modules.', { field: 'r' });
    }
    this.count = count;
    this.weights = gpu.createBuffer(bytes);
  }

  /**
   * Sets all factors.
   * @throws LorikeetError "adapter" when a tensor is missing, unknown or of another shape
   */
  writeWeights(tensors: readonly AdapterTensor[]): void {
    this.fill(this.weights, tensors);
  }

  dispose(): void {
    this.gpu.destroyBuffer(this.weights);
  }

  /** Tensors by name, e.g. "….q_proj.lora_A.weight", from a buffer of this layout. */
  protected async take(buffer: GPUBuffer): Promise<AdapterTensor[]> {
    const values = await this.gpu.readFloats(buffer, this.count);
    return [...this.factors()].map(({ name, offset, shape }) => ({ name, shape, data: values.slice(offset, offset + shape[0] * shape[1]) }));
  }

  /** Writes all tensors to a buffer of this layout; throws as writeWeights does. */
  protected fill(buffer: GPUBuffer, tensors: readonly AdapterTensor[]): void {
    const values = new Float32Array(this.count);
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
    this.gpu.writeBuffer(buffer, values);
  }

  private *factors(): Generator<{ name: string; offset: number; shape: [number, number] }> {
    for (const { path, outFeatures, inFeatures, rank, aOffset, bOffset } of this.slots.values()) {
      invariant(outFeatures > 0 && inFeatures > 0, `module ${path} has no size`);
      yield { name: `${path}.lora_A.weight`, offset: aOffset, shape: [rank, inFeatures] };
      yield { name: `${path}.lora_B.weight`, offset: bOffset, shape: [outFeatures, rank] };
    }
  }
}
