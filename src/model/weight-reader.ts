/** Turns named tensors of a checkpoint into GPU weights; each matrix is quantised as it comes. */
import type { ModelFiles } from '../checkpoint/model-files.ts';
import { toFiniteFloat32 } from '../checkpoint/tensor-values.ts';
import type { LinearModule } from '../families/architecture.ts';
import { guardMemory } from '../gpu/device.ts';
import type { Gpu } from '../gpu/gpu.ts';
import type { GpuTable } from '../kernels/embedding.ts';
import { uploadWeight, type GpuWeight } from '../kernels/matmul.ts';
import { quantizeNf4OnGpu, readPacked } from '../kernels/quantize-nf4.ts';
import type { NormWeights } from '../kernels/norm.ts';
import { LorikeetError, invariant } from '../protocol/errors.ts';
import { memoryBytes, packF32, packWeight, type PackedWeight, type WeightKind, type WeightSource } from '../quantization/packed-weight.ts';
import { LinearGroup, type Linear } from './parts/linear-group.ts';
import type { WeightCache } from '../quantization/weight-cache.ts';

export interface LoadOptions {
  /** Form of each linear layer; "bf16" keeps float32 checkpoints in float32. */
  kindOf: (module: LinearModule) => WeightKind;
  /** Bytes of weights read so far, of all. */
  onProgress?: (done: number, total: number) => void;
  /** Where packed weights are taken from and kept. */
  cache?: WeightCache | null;
}

/** What a reader needs of a checkpoint. */
export type WeightFiles = Pick<ModelFiles, 'architecture' | 'fileBytes' | 'info' | 'readTensor' | 'readLinear' | 'linearBytes' | 'readWeights' | 'readRowWeights' | 'streamTensor'>;

/** Rows of a table per buffer are limited by the binding limit and by this, so that no piece is held as one huge array. */
const TABLE_PART_BYTES = 96 * 2 ** 20;

export class WeightReader {
  /** Every buffer made so far. */
  readonly buffers: GPUBuffer[] = [];
  private readonly modules: ReadonlyMap<string, LinearModule>;
  private done = 0;

  constructor(
    private readonly gpu: Gpu,
    private readonly files: WeightFiles,
    private readonly options: LoadOptions,
  ) {
    this.modules = new Map(files.architecture.linearModules.map((module) => [module.path, module]));
  }

  async group(paths: readonly string[]): Promise<LinearGroup> {
    const members: Linear[] = [];
    for (const path of paths) {
      const module = this.modules.get(path);
      invariant(module, `${path} is not a linear layer of this model`);
      const kind = this.options.kindOf(module);
      const weight = await this.linear(module, kind);
      members.push({ path, weight, bias: module.bias ? await this.vector(`${path}.bias`) : undefined });
    }
    return new LinearGroup(members);
  }

  /** A linear layer's weight; what the files hold packed stays as it is, and "bf16" keeps float32 in float32. */
  private async linear(module: LinearModule, kind: WeightKind): Promise<GpuWeight> {
    const name = `${module.path}.weight`;
    const weight = await this.placed(name, async () => {
      const stored = await this.files.readLinear(module);
      if (stored.form === 'packed') return stored.weight;
      const storedKind = stored.weights instanceof Uint16Array ? 'bf16' : 'f32';
      const quantized = kind === 'nf4' && (await this.quantizeOnGpu(name, stored.weights, module));
      if (quantized) return quantized;
      return this.quantize(name, kind === 'bf16' ? storedKind : kind, stored.weights, module.outFeatures, module.inFeatures);
    });
    this.count(this.files.linearBytes(module));
    return weight;
  }

  /** A matrix in its stored precision. */
  async matrix(name: string, rows: number, cols: number): Promise<GpuWeight> {
    const weight = await this.placed(name, async () => this.quantize(name, this.storedKind(name), await this.files.readWeights(name), rows, cols));
    this.count(this.storedBytes(name));
    return weight;
  }

  /** A vector as float32, each value put through `change`. */
  async vector(name: string, change?: (value: number) => number): Promise<GPUBuffer> {
    const { buffer } = await this.placed(name, async () => {
      const values = toFiniteFloat32(await this.files.readTensor(name), { file: name, field: name });
      return packF32(change ? values.map(change) : values, 1, values.length);
    });
    this.count(this.storedBytes(name));
    return buffer;
  }

  /** RMSNorm with frozen gains. */
  async rmsNorm(path: string, size: number, eps: number): Promise<NormWeights> {
    return { weight: await this.vector(`${path}.weight`), size, eps };
  }

  /** RMSNorm whose stored gains are what is added to 1. */
  async offsetRmsNorm(path: string, size: number, eps: number): Promise<NormWeights> {
    return { weight: await this.vector(`${path}.weight`, (gain) => 1 + gain), size, eps };
  }

  async layerNorm(path: string, size: number, eps: number): Promise<NormWeights> {
    return { weight: await this.vector(`${path}.weight`), bias: await this.vector(`${path}.bias`), size, eps };
  }

  /** A table cut into buffers that every device can bind. */
  async table(name: string, rows: number, cols: number): Promise<GpuTable> {
    const kind = this.storedKind(name);
    const packedRow = cols * (kind === 'f32' ? 4 : 2);
    const limit = Math.min(this.gpu.device.limits.maxStorageBufferBindingSize, TABLE_PART_BYTES);
    // An even number of rows keeps bf16 pairs inside a part.
    const rowsPerPart = Math.max(2, Math.floor(limit / packedRow / 2) * 2);
    const parts: GpuTable['parts'] = [];
    for (let firstRow = 0; firstRow < rows; firstRow += rowsPerPart) {
      const end = Math.min(rows, firstRow + rowsPerPart);
      const weight = await this.placed(`${name}[${firstRow}:${end}]`, async () => this.quantize(name, kind, await this.files.readRowWeights(name, firstRow, end), end - firstRow, cols));
      parts.push({ firstRow, weight });
      this.count((this.storedBytes(name) * (end - firstRow)) / rows);
    }
    return { rows, cols, parts };
  }

  /** bf16 stays bf16; float16 and float32 need float32 to stay exact. */
  private storedKind(name: string): 'bf16' | 'f32' {
    return this.files.info(name).dtype === 'BF16' ? 'bf16' : 'f32';
  }

  private storedBytes(name: string): number {
    const { start, end } = this.files.info(name);
    return end - start;
  }

  /** Puts on the GPU what was kept under this name, or what `make` makes there or here, which is then kept. */
  private async placed(name: string, make: () => Promise<PackedWeight | GpuWeight>): Promise<GpuWeight> {
    const { cache } = this.options;
    const kept = await cache?.take(name);
    const made = kept ?? (await make());
    const onGpu = 'buffer' in made;
    const weight = onGpu ? made : await this.place(name, made);
    this.buffers.push(weight.buffer);
    if (cache && !kept) await cache.keep(name, onGpu ? await readPacked(this.gpu, made) : made);
    return weight;
  }

  /** NF4 without JavaScript; null where it has to do it. A CPU that plays the GPU takes twice as long as JavaScript. */
  private async quantizeOnGpu(name: string, weights: WeightSource, { outFeatures, inFeatures }: LinearModule): Promise<GpuWeight | null> {
    if (this.gpu.profile !== 'gpu') return null;
    this.canBind(name, memoryBytes('nf4', outFeatures, inFeatures));
    return quantizeNf4OnGpu(this.gpu, weights, outFeatures, inFeatures);
  }

  private async place(name: string, packed: PackedWeight): Promise<GpuWeight> {
    this.canBind(name, packed.bytes);
    return guardMemory(this.gpu, name, () => uploadWeight(this.gpu, packed));
  }

  /** @throws LorikeetError "out-of-memory" where a matrix of so many bytes cannot be bound in one piece */
  private canBind(name: string, bytes: number): void {
    const limit = this.gpu.device.limits.maxStorageBufferBindingSize;
    if (bytes <= limit) return;
    throw new LorikeetError('out-of-memory', `${name} needs ${Math.ceil(bytes / 2 ** 20)} MB in one piece; this GPU binds at most ${Math.floor(limit / 2 ** 20)} MB.`, 'Use 4-bit weights or a smaller model.', { field: name });
  }

  /** Adds the tensor's name to what is wrong with its values. */
  private quantize(name: string, kind: WeightKind, source: Float32Array | Uint16Array, rows: number, cols: number): PackedWeight {
    try {
      return packWeight(kind, source, rows, cols);
    } catch (error) {
      if (!(error instanceof LorikeetError)) throw error;
      throw new LorikeetError(error.code, `${name}: ${error.message}`, error.advice, { ...error.place, field: name });
    }
  }

  private count(bytes: number): void {
    this.done += bytes;
    this.options.onProgress?.(Math.min(this.done, this.files.fileBytes), this.files.fileBytes);
  }
}
