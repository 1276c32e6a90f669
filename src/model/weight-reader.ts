/**
 * Turns named tensors of a checkpoint into GPU weights. A model's parts first say what they consist of and get their buffers, so that
 * memory that is lacking shows at once and all that is to be read is known; it is then read ahead of the quantisation.
 */
import type { ModelFiles } from '../checkpoint/model-files.ts';
import { toFiniteFloat32 } from '../checkpoint/tensor-values.ts';
import type { LinearModule } from '../families/architecture.ts';
import { createGuarded } from '../gpu/device.ts';
import type { Gpu } from '../gpu/gpu.ts';
import type { GpuTable } from '../kernels/embedding.ts';
import { weightIn, type GpuWeight } from '../kernels/matmul.ts';
import { quantizeNf4OnGpu, readPacked } from '../kernels/quantize-nf4.ts';
import type { NormWeights } from '../kernels/norm.ts';
import { LorikeetError, invariant } from '../protocol/errors.ts';
import { memoryBytes, packF32, packWeight, type PackedWeight, type WeightKind, type WeightSource } from '../quantization/packed-weight.ts';
import type { WeightCache } from '../quantization/weight-cache.ts';
import { LinearGroup, type Linear } from './parts/linear-group.ts';
import { ReadAhead, type Readable } from './read-ahead.ts';

export interface LoadOptions {
  /** Form of each linear layer; "bf16" keeps float32 checkpoints in float32. */
  kindOf: (module: LinearModule) => WeightKind;
  /** Bytes of weights read so far, of all. */
  onProgress?: (done: number, total: number) => void;
  /** Where packed weights are taken from and kept. */
  cache?: WeightCache | null;
}

/** Makes of what was read what lies on the GPU; null when it lies there already. */
type Make = () => PackedWeight | Promise<PackedWeight | null>;

/** A weight whose buffer is there but empty, or some rows of it. */
interface Filling extends Readable<Make> {
  name: string;
  weight: GpuWeight;
  rows: number;
  /** Where the rows begin in the buffer, in bytes. */
  offset: number;
}

/** What a reader needs of a checkpoint. */
export type WeightFiles = Pick<ModelFiles, 'architecture' | 'fileBytes' | 'info' | 'readTensor' | 'readLinear' | 'linearBytes' | 'readWeights' | 'readRowWeights' | 'streamTensor'>;

/** Rows of a table per buffer are limited by the binding limit and by this. */
const TABLE_PART_BYTES = 96 * 2 ** 20;
/** So much of a table is read at a time: no more than a large matrix, of which several are in memory at once. */
const TABLE_READ_BYTES = 24 * 2 ** 20;
/** Bytes sent to the GPU before the last so many have to be there. */
const UPLOAD_BYTES = 4 * 2 ** 20;

export class WeightReader {
  /** Every buffer made so far. */
  readonly buffers: GPUBuffer[] = [];
  private readonly modules: ReadonlyMap<string, LinearModule>;
  private readonly fillings: Filling[] = [];
  /** Of each buffer: whether there is memory for it. */
  private readonly granted = new Map<GPUBuffer, Promise<void>>();
  private refusal: unknown = null;

  constructor(
    private readonly gpu: Gpu,
    private readonly files: WeightFiles,
    private readonly options: LoadOptions,
  ) {
    this.modules = new Map(files.architecture.linearModules.map((module) => [module.path, module]));
  }

  /**
   * Fills the buffers of all that was asked for.
   * @throws LorikeetError "out-of-memory" as soon as the GPU has refused a buffer, and whatever reading a tensor throws
   */
  async fill(): Promise<void> {
    const { cache } = this.options;
    const reads = new ReadAhead(this.fillings.filter(({ name }) => !cache?.holds(name)));
    let uploaded: Promise<void> = Promise.resolve();
    let sent = 0;
    let done = 0;
    for (const filling of this.fillings) {
      const { name, weight, rows, offset, bytes } = filling;
      const kept = await cache?.take(name);
      const make: Make = kept ? () => kept : await reads.take(filling);
      // What is done with a buffer that was refused would spoil the device for those who then try a smaller model.
      await this.granted.get(weight.buffer);
      if (this.refusal) throw this.refusal;
      const packed = await make();
      if (packed) {
        invariant(packed.kind === weight.kind && packed.bytes === memoryBytes(weight.kind, rows, weight.cols), `${name} came as ${packed.kind}`);
        this.gpu.writeBuffer(weight.buffer, packed.words, offset);
        sent += packed.bytes;
        // What waits to be uploaded lies in shared memory, which has to be found first.
        if (sent > UPLOAD_BYTES) {
          await uploaded;
          uploaded = this.gpu.finish();
          sent = 0;
        }
      }
      if (cache && !kept) await cache.keep(name, packed ?? (await readPacked(this.gpu, weight)));
      done += bytes;
      this.options.onProgress?.(Math.min(done, this.files.fileBytes), this.files.fileBytes);
    }
    await this.gpu.finish();
  }

  async group(paths: readonly string[]): Promise<LinearGroup> {
    const members: Linear[] = [];
    for (const path of paths) {
      const module = this.modules.get(path);
      invariant(module, `${path} is not a linear layer of this model`);
      members.push({ path, weight: this.linear(module), bias: module.bias ? await this.vector(`${path}.bias`) : undefined });
    }
    return new LinearGroup(members);
  }

  /** A linear layer's weight; what the files hold packed stays as it is, and "bf16" keeps float32 in float32. */
  private linear(module: LinearModule): GpuWeight {
    const name = `${module.path}.weight`;
    const { outFeatures: rows, inFeatures: cols, storedAs } = module;
    const asked = storedAs && storedAs !== 'bf16' ? storedAs : this.options.kindOf(module);
    const kind = asked === 'bf16' ? this.storedKind(name) : asked;
    const weight = this.room(name, kind, rows, cols);
    this.later(name, weight, this.files.linearBytes(module), async () => {
      const stored = await this.files.readLinear(module);
      if (stored.form === 'packed') return () => stored.weight;
      return async () => ((await this.quantizeOnGpu(stored.weights, weight)) ? null : this.quantize(name, kind, stored.weights, rows, cols));
    });
    return weight;
  }

  /** A matrix in its stored precision. */
  async matrix(name: string, rows: number, cols: number): Promise<GpuWeight> {
    const kind = this.storedKind(name);
    const weight = this.room(name, kind, rows, cols);
    this.later(name, weight, this.storedBytes(name), async () => {
      const source = await this.files.readWeights(name);
      return () => this.quantize(name, kind, source, rows, cols);
    });
    return weight;
  }

  /** A vector as float32, each value put through `change`. */
  async vector(name: string, change?: (value: number) => number): Promise<GPUBuffer> {
    const length = this.files.info(name).shape.reduce((product, side) => product * side, 1);
    const weight = this.room(name, 'f32', 1, length);
    this.later(name, weight, this.storedBytes(name), async () => {
      const values = toFiniteFloat32(await this.files.readTensor(name), { file: name, field: name });
      return () => packF32(change ? values.map(change) : values, 1, length);
    });
    return weight.buffer;
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
    const rowsIn = (size: number) => Math.max(2, Math.floor(size / packedRow / 2) * 2);
    const [rowsPerPart, rowsPerRead] = [rowsIn(limit), rowsIn(TABLE_READ_BYTES)];
    const parts: GpuTable['parts'] = [];
    for (let firstRow = 0; firstRow < rows; firstRow += rowsPerPart) {
      const end = Math.min(rows, firstRow + rowsPerPart);
      const weight = this.room(`${name}[${firstRow}:${end}]`, kind, end - firstRow, cols);
      for (let row = firstRow; row < end; row += rowsPerRead) {
        const count = Math.min(rowsPerRead, end - row);
        const read = async () => {
          const source = await this.files.readRowWeights(name, row, row + count);
          return () => this.quantize(name, kind, source, count, cols);
        };
        this.fillings.push({ name: `${name}[${row}:${row + count}]`, weight, rows: count, offset: (row - firstRow) * packedRow, bytes: (this.storedBytes(name) * count) / rows, read });
      }
      parts.push({ firstRow, weight });
    }
    return { rows, cols, parts };
  }

  /** bf16 stays bf16; float16 and float32 need float32 to stay exact. */
  private storedKind(name: string): 'bf16' | 'f32' {
    const { dtype } = this.files.info(name);
    return dtype === 'F32' || dtype === 'F16' ? 'f32' : 'bf16';
  }

  private storedBytes(name: string): number {
    const { start, end } = this.files.info(name);
    return end - start;
  }

  /**
   * A weight whose buffer is empty so far.
   * @throws LorikeetError "out-of-memory" where a matrix of so many bytes cannot be bound in one piece
   */
  private room(name: string, kind: WeightKind, rows: number, cols: number): GpuWeight {
    const bytes = memoryBytes(kind, rows, cols);
    const limit = this.gpu.device.limits.maxStorageBufferBindingSize;
    if (bytes > limit) {
      throw new LorikeetError('out-of-memory', `${name} needs ${Math.ceil(bytes / 2 ** 20)} MB in one piece; this GPU binds at most ${Math.floor(limit / 2 ** 20)} MB.`, 'Use 4-bit weights or a smaller model.', { field: name });
    }
    const { buffer, granted } = createGuarded(this.gpu, name, bytes);
    granted.catch((error: unknown) => (this.refusal ??= error));
    this.granted.set(buffer, granted);
    this.buffers.push(buffer);
    return weightIn(buffer, kind, rows, cols);
  }

  private later(name: string, weight: GpuWeight, bytes: number, read: () => Promise<Make>): void {
    this.fillings.push({ name, weight, rows: weight.rows, offset: 0, bytes, read });
  }

  /** NF4 without JavaScript; false where that has to do it. A CPU that plays the GPU takes longer than JavaScript. */
  private async quantizeOnGpu(weights: WeightSource, weight: GpuWeight): Promise<boolean> {
    return weight.kind === 'nf4' && this.gpu.profile === 'gpu' && quantizeNf4OnGpu(this.gpu, weights, weight);
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
}
