/** An open device: dispatches, tensors and buffers on the tfjs command stream. */
import * as tf from '@tensorflow/tfjs';
import { invariant, LorikeetError } from '../protocol/errors.ts';
import { DEVICE_SHAPES, type DeviceProfile, type DeviceShape } from './device-shape.ts';
import type { DispatchTimer } from './dispatch-timer.ts';
import type { Binding, BindingTypes, Kernel, Launch } from './kernel.ts';
import { writeParams, type ParamTypes } from './kernel-params.ts';
import { Pipelines } from './pipelines.ts';
import type { TfjsBackend } from './tfjs-backend.ts';
import { SLOT_WORDS, UniformRing } from './uniform-ring.ts';

const STORAGE_USAGE = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;

/** An open device with its kernels. All work goes through the tfjs backend's encoder, so order is program order. */
export class Gpu {
  /** Kernel dispatches since the start. */
  dispatches = 0;
  /** Forward products compute their tiles in f16; only where the device has shader-f16. */
  halfTiles = false;
  /** Names of kernel variants that are taken wherever they can run; see variants.ts. */
  readonly forced = new Set<string>();
  /** Names of the variants that requests take, by the key of their class; see variants.ts. A run keeps those that it began with. */
  choices: ReadonlyMap<string, string> = new Map();
  /** Takes the time of each dispatch while it is set; see dispatch-timer.ts. */
  timer: DispatchTimer | null = null;
  readonly shape: DeviceShape;
  private readonly pipelines: Pipelines;
  private readonly uniforms: UniformRing;
  private readonly offsets = new Uint32Array(1);
  private dispatchesSinceSubmit = 0;
  private ownedBytes = 0;
  /** While kernels are only compiled: what is under way. */
  private compiling: Promise<void>[] | null = null;
  /** First error that no scope caught; everything computed after it is worthless. */
  private fault: GPUError | null = null;

  constructor(
    readonly device: GPUDevice,
    readonly backend: TfjsBackend,
    readonly profile: DeviceProfile,
    /** Dispatches per queue submit. */
    private readonly submitEvery = DEVICE_SHAPES[profile].submitEvery,
  ) {
    this.shape = DEVICE_SHAPES[profile];
    this.uniforms = new UniformRing(device);
    this.pipelines = new Pipelines(device, this.uniforms.layout);
    device.addEventListener('uncapturederror', ({ error }) => this.refuse(error));
    backend.onBeforeSubmit(() => {
      this.uniforms.flush();
      this.dispatchesSinceSubmit = 0;
    });
  }

  get hasF16(): boolean {
    return this.device.features.has('shader-f16');
  }

  /**
   * Records one dispatch; nothing when a workgroup count is 0. Compiles the kernel when its constants are new.
   * @throws Error "Invariant violation" naming a binding or parameter that is missing, unknown or out of its type's range
   */
  run<B extends BindingTypes, P extends ParamTypes, C>(kernel: Kernel<B, P, C>, { bindings, params, groups, constants }: Launch<B, P, C>): void {
    if (groups[0] === 0 || groups[1] === 0 || groups[2] === 0) return;
    if (this.compiling) {
      const ready = this.pipelines.prepare(kernel, constants ?? ({} as C));
      if (ready) this.compiling.push(ready);
      return;
    }
    if (this.uniforms.full) this.backend.submit();
    const given = bindings as Readonly<Record<string, Binding | undefined>>;
    const buffers: (GPUBuffer | undefined)[] = [];
    for (const { name } of kernel.slots) {
      const binding = given[name];
      buffers.push(binding && this.bufferOf(binding));
    }
    for (const name in given) if (!Object.hasOwn(kernel.bindings, name)) invariant(false, `${kernel.name}: unknown binding ${name}`);
    const pipeline = this.pipelines.pipeline(kernel, constants ?? ({} as C));
    const bindGroup = this.pipelines.bindGroup(kernel, pipeline, buffers);
    const offset = this.uniforms.take();
    writeParams(kernel.name, kernel.fields, params, this.uniforms.words, offset / 4, SLOT_WORDS);
    const pass = this.timer ? this.backend.timedPass(this.timer.take(kernel.name, groups)) : this.backend.computePass();
    pass.setPipeline(pipeline.pipeline);
    pass.setBindGroup(0, bindGroup);
    this.offsets[0] = offset;
    pass.setBindGroup(1, this.uniforms.group, this.offsets, 0, 1);
    pass.dispatchWorkgroups(groups[0], groups[1] ?? 1, groups[2] ?? 1);
    this.dispatches++;
    if (++this.dispatchesSinceSubmit >= this.submitEvery) this.backend.submit();
  }

  /** Compiles, side by side, the kernels that `work` asks for, without running any: what it computes is garbage, and it must read nothing. */
  async precompile(work: () => void): Promise<void> {
    const pending: Promise<void>[] = [];
    this.compiling = pending;
    try {
      work();
    } finally {
      this.compiling = null;
    }
    await Promise.all(pending);
  }

  /** Uninitialised tensor on the GPU; every kernel writes all of its outputs. */
  empty(shape: number[], dtype: 'float32' | 'int32' = 'float32'): tf.Tensor {
    return this.backend.emptyTensor(shape, dtype);
  }

  zeros(shape: number[]): tf.Tensor {
    const tensor = this.empty(shape);
    const buffer = this.bufferOf(tensor);
    this.backend.encoder().clearBuffer(buffer);
    return tensor;
  }

  /** Sets a buffer to zero in program order. */
  clear(buffer: GPUBuffer): void {
    this.backend.encoder().clearBuffer(buffer);
  }

  /** Copies values to a new tensor. */
  upload(values: Float32Array | Int32Array, shape: number[]): tf.Tensor {
    // Nothing will read it, and copies on their way would count as memory that the work itself does not take.
    if (this.compiling) return this.empty(shape, values instanceof Int32Array ? 'int32' : 'float32');
    const tensor = tf.tensor(values, shape, values instanceof Int32Array ? 'int32' : 'float32');
    this.bufferOf(tensor);
    return tensor;
  }

  /** Long-lived storage buffer outside tfjs and the pool, e.g. packed weights. Under an out-of-memory scope by the caller. */
  createBuffer(words: Uint32Array | Float32Array | number): GPUBuffer {
    const bytes = typeof words === 'number' ? words : words.byteLength;
    const size = Math.max(16, Math.ceil(bytes / 16) * 16);
    const buffer = this.device.createBuffer({ size, usage: STORAGE_USAGE });
    // Twice as fast as mapping it at its creation, which fills fresh memory with zeros first.
    if (typeof words !== 'number') this.device.queue.writeBuffer(buffer, 0, words.buffer as ArrayBuffer, words.byteOffset, words.byteLength);
    this.ownedBytes += size;
    return buffer;
  }

  destroyBuffer(buffer: GPUBuffer): void {
    this.ownedBytes -= buffer.size;
    buffer.destroy();
  }

  bufferOf(binding: Binding): GPUBuffer {
    return binding instanceof GPUBuffer ? binding : this.backend.bufferOf(binding);
  }

  /**
   * Reads a float tensor or the first `length` words of a buffer, after all recorded work.
   * @throws LorikeetError "out-of-memory", Error "Invariant violation" when the GPU refused a command before
   */
  async readFloats(binding: Binding, length?: number): Promise<Float32Array<ArrayBuffer>> {
    const size = length ?? (binding instanceof GPUBuffer ? binding.size / 4 : binding.size);
    const bytes = await this.backend.readBuffer(this.bufferOf(binding), size * 4);
    this.throwFault();
    return new Float32Array(bytes);
  }

  async readInts(binding: Binding, length?: number): Promise<Int32Array<ArrayBuffer>> {
    const size = length ?? (binding instanceof GPUBuffer ? binding.size / 4 : binding.size);
    const bytes = await this.backend.readBuffer(this.bufferOf(binding), size * 4);
    this.throwFault();
    return new Int32Array(bytes);
  }

  /** Overwrites a buffer in program order. */
  writeBuffer(buffer: GPUBuffer, values: Float32Array | Uint32Array | Int32Array | Uint16Array, byteOffset = 0): void {
    this.backend.submit();
    this.device.queue.writeBuffer(buffer, byteOffset, values.buffer as ArrayBuffer, values.byteOffset, values.byteLength);
  }

  copy(source: Binding, sourceOffset: number, target: Binding, targetOffset: number, bytes: number): void {
    this.backend.encoder().copyBufferToBuffer(this.bufferOf(source), sourceOffset, this.bufferOf(target), targetOffset, bytes);
  }

  /** Sends recorded work. */
  submit(): void {
    this.backend.submit();
  }

  /** Resolves when everything recorded so far has run. */
  async finish(): Promise<void> {
    this.backend.submit();
    await this.device.queue.onSubmittedWorkDone();
  }

  /** GPU bytes held: long-lived buffers and the pool, free buffers included. */
  bytes(): number {
    return this.ownedBytes + this.backend.pool.numBytesAllocated;
  }

  /** Highest pool size since the last `trim` plus long-lived buffers. */
  peakBytes(): number {
    return this.ownedBytes + this.backend.pool.peakBytes;
  }

  /**
   * Gives free buffers back to the GPU; work that was recorded with them is sent first. Called where batches of other lengths
   * follow: what is free of one does not fit the next, and would add up.
   */
  releaseFree(): void {
    this.backend.submit();
    this.backend.pool.trim();
  }

  /** Gives free buffers back once nothing uses them, and counts the peak from what is left. */
  async trim(): Promise<void> {
    await this.finish();
    const { pool } = this.backend;
    pool.trim();
    pool.peakBytes = pool.numBytesAllocated;
  }

  /** Notes an error of the device; whatever is computed after it throws. */
  refuse(error: GPUError): void {
    this.fault ??= error;
  }

  private throwFault(): void {
    if (!this.fault) return;
    if (this.fault instanceof GPUOutOfMemoryError) {
      throw new LorikeetError('out-of-memory', `The GPU ran out of memory: ${this.fault.message}`, 'Lower the batch size, the maximum length, the image size or the rank, and keep gradient checkpointing on.');
    }
    invariant(false, `the GPU refused a command: ${this.fault.message}`);
  }
}
