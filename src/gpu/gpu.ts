/** Kernels on the tfjs command stream: pipelines, uniforms, bind groups, tensors. */
import * as tf from '@tensorflow/tfjs';
import { invariant, LorikeetError } from '../protocol/errors.ts';
import type { TfjsBackend } from './tfjs-backend.ts';

/** What a kernel reads or writes: a tensor or a raw buffer. */
export type Binding = tf.Tensor | GPUBuffer;

/** How matmul tiles and reductions are shaped: a GPU, or a CPU that plays one. */
export type DeviceProfile = 'gpu' | 'rasterizer';

/** A compiled kernel. `access` lists its storage bindings of group 0 in order; uniforms are group 1 binding 0. */
export interface Kernel {
  readonly name: string;
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

export interface KernelSource {
  /** Unique for this text; names the pipeline. */
  name: string;
  /** Asked for once. */
  wgsl: () => string;
  access: readonly ('read' | 'write')[];
  entryPoint?: string;
}

const UNIFORM_SLOT_BYTES = 256;
const UNIFORM_SLOTS = 1024;
const MAX_CACHED_BIND_GROUPS = 8192;
const STORAGE_USAGE = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;

/** An open device with its kernels. All work goes through the tfjs backend's encoder, so order is program order. */
export class Gpu {
  /** Kernel dispatches since the start. */
  dispatches = 0;
  /** Bound where a kernel's optional input is absent. */
  readonly unusedBuffer: GPUBuffer;
  /** Bound where an optional output is absent; a buffer may not be read and written in one dispatch. */
  readonly unusedOutput: GPUBuffer;
  /** Forward products compute their tiles in f16; only where the device has shader-f16. */
  halfTiles = false;
  private readonly kernels = new Map<string, Kernel>();
  private readonly bindGroups = new Map<string, GPUBindGroup>();
  private readonly bufferIds = new WeakMap<GPUBuffer, number>();
  private nextBufferId = 0;
  private readonly uniformLayout: GPUBindGroupLayout;
  private readonly uniformGroup: GPUBindGroup;
  private readonly uniformBuffer: GPUBuffer;
  private readonly uniformStaging = new Uint8Array(UNIFORM_SLOT_BYTES * UNIFORM_SLOTS);
  private uniformSlot = 0;
  private dispatchesSinceSubmit = 0;
  private ownedBytes = 0;
  /** First error that no scope caught; everything computed after it is worthless. */
  private fault: GPUError | null = null;

  constructor(
    readonly device: GPUDevice,
    readonly backend: TfjsBackend,
    readonly profile: DeviceProfile,
    /** Dispatches per queue submit. */
    private readonly submitEvery: number,
  ) {
    this.unusedBuffer = device.createBuffer({ size: 16, usage: STORAGE_USAGE });
    this.unusedOutput = device.createBuffer({ size: 16, usage: STORAGE_USAGE });
    this.uniformLayout = device.createBindGroupLayout({
      entries: [{ binding: 0, visibility: GPUShaderStage.COMPUTE, buffer: { type: 'uniform', hasDynamicOffset: true } }],
    });
    this.uniformBuffer = device.createBuffer({ size: this.uniformStaging.byteLength, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
    this.uniformGroup = device.createBindGroup({
      layout: this.uniformLayout,
      entries: [{ binding: 0, resource: { buffer: this.uniformBuffer, size: UNIFORM_SLOT_BYTES } }],
    });
    device.addEventListener('uncapturederror', ({ error }) => (this.fault ??= error));
    // Slots of the pending encoder are written right before its submit: writeBuffer would overtake unsubmitted work, never submitted work.
    backend.onBeforeSubmit(() => {
      if (this.uniformSlot > 0) device.queue.writeBuffer(this.uniformBuffer, 0, this.uniformStaging, 0, this.uniformSlot * UNIFORM_SLOT_BYTES);
      this.uniformSlot = 0;
      this.dispatchesSinceSubmit = 0;
    });
  }

  get hasF16(): boolean {
    return this.device.features.has('shader-f16');
  }

  /** Compiles once per name. */
  kernel(source: KernelSource): Kernel {
    const known = this.kernels.get(source.name);
    if (known) return known;
    const layout = this.device.createBindGroupLayout({
      entries: source.access.map((access, binding) => ({
        binding,
        visibility: GPUShaderStage.COMPUTE,
        buffer: { type: access === 'read' ? ('read-only-storage' as const) : ('storage' as const) },
      })),
    });
    const pipeline = this.device.createComputePipeline({
      label: source.name,
      layout: this.device.createPipelineLayout({ bindGroupLayouts: [layout, this.uniformLayout] }),
      compute: { module: this.device.createShaderModule({ label: source.name, code: source.wgsl() }), entryPoint: source.entryPoint ?? 'main' },
    });
    const kernel = { name: source.name, pipeline, layout };
    this.kernels.set(source.name, kernel);
    return kernel;
  }

  /**
   * Records one dispatch.
   * @param params uniform words in the order of the kernel's struct; floats go through `f32`
   * @param groups workgroup counts; a first count over 65,535 must be folded by the caller
   */
  run(kernel: Kernel, bindings: readonly Binding[], params: readonly number[], groups: readonly [number, number?, number?]): void {
    if (groups[0] === 0 || groups[1] === 0 || groups[2] === 0) return;
    invariant(params.length * 4 <= UNIFORM_SLOT_BYTES, `${kernel.name}: too many uniform words`);
    if (this.uniformSlot === UNIFORM_SLOTS) this.backend.submit();
    const buffers = bindings.map((binding) => this.bufferOf(binding));
    const slot = this.uniformSlot++;
    new Uint32Array(this.uniformStaging.buffer, slot * UNIFORM_SLOT_BYTES, params.length).set(params);
    const pass = this.backend.computePass();
    pass.setPipeline(kernel.pipeline);
    pass.setBindGroup(0, this.bindGroup(kernel, buffers));
    pass.setBindGroup(1, this.uniformGroup, [slot * UNIFORM_SLOT_BYTES]);
    pass.dispatchWorkgroups(groups[0], groups[1] ?? 1, groups[2] ?? 1);
    this.dispatches++;
    if (++this.dispatchesSinceSubmit >= this.submitEvery) this.backend.submit();
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

  /** Copies values to a new tensor. */
  upload(values: Float32Array | Int32Array, shape: number[]): tf.Tensor {
    const tensor = tf.tensor(values, shape, values instanceof Int32Array ? 'int32' : 'float32');
    this.bufferOf(tensor);
    return tensor;
  }

  /** Long-lived storage buffer outside tfjs and the pool, e.g. packed weights. Under an out-of-memory scope by the caller. */
  createBuffer(words: Uint32Array | Float32Array | number): GPUBuffer {
    const bytes = typeof words === 'number' ? words : words.byteLength;
    const size = Math.max(16, Math.ceil(bytes / 16) * 16);
    const buffer = this.device.createBuffer({ size, usage: STORAGE_USAGE, mappedAtCreation: typeof words !== 'number' });
    if (typeof words !== 'number') {
      new Uint8Array(buffer.getMappedRange()).set(new Uint8Array(words.buffer, words.byteOffset, words.byteLength));
      buffer.unmap();
    }
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
  writeBuffer(buffer: GPUBuffer, values: Float32Array | Uint32Array | Int32Array, byteOffset = 0): void {
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

  /** Highest pool size so far plus long-lived buffers. */
  peakBytes(): number {
    return this.ownedBytes + this.backend.pool.peakBytes;
  }

  private throwFault(): void {
    if (!this.fault) return;
    if (this.fault instanceof GPUOutOfMemoryError) {
      throw new LorikeetError('out-of-memory', `The GPU ran out of memory: ${this.fault.message}`, 'Lower the batch size, the maximum length, the image size or the rank, and keep gradient checkpointing on.');
    }
    invariant(false, `the GPU refused a command: ${this.fault.message}`);
  }

  private bindGroup(kernel: Kernel, buffers: readonly GPUBuffer[]): GPUBindGroup {
    let key = kernel.name;
    for (const buffer of buffers) {
      let id = this.bufferIds.get(buffer);
      if (id === undefined) this.bufferIds.set(buffer, (id = this.nextBufferId++));
      key += `,${id}`;
    }
    let group = this.bindGroups.get(key);
    if (!group) {
      if (this.bindGroups.size >= MAX_CACHED_BIND_GROUPS) this.bindGroups.clear();
      group = this.device.createBindGroup({ layout: kernel.layout, entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })) });
      this.bindGroups.set(key, group);
    }
    return group;
  }
}

const scratchFloat = new Float32Array(1);
const scratchWord = new Uint32Array(scratchFloat.buffer);

/** Bits of a float as a uniform word. */
export function f32(value: number): number {
  scratchFloat[0] = value;
  return scratchWord[0];
}

/** Most workgroups along one axis on every device; shaders of folded grids count `id.x + id.y * 65535 * workgroup size`. */
const MAX_GROUPS = 65535;

/** A row of workgroups folded into a grid that every device accepts. */
export function foldGroups(groups: number): [number, number] {
  return [Math.min(groups, MAX_GROUPS), Math.ceil(groups / MAX_GROUPS)];
}

/** WGSL constants put before a kernel's text. Integers become u32, the rest stays as written. */
export function withConstants(constants: Readonly<Record<string, number | boolean | string>>, wgsl: string): string {
  const lines = Object.entries(constants).map(([name, value]) => {
    if (typeof value === 'number') return `const ${name} = ${value}u;`;
    return `const ${name} = ${value};`;
  });
  return `${lines.join('\n')}\n${wgsl}`;
}
