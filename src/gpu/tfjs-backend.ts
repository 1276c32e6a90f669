/**
 * The one file that touches private members of tfjs-backend-webgpu 4.22.0: our device, our buffer pool, exact read-back,
 * and the command encoder that our kernels share with tfjs's own. `checkPrivateMembers` fails loudly when a member is missing.
 */
import * as tf from '@tensorflow/tfjs';
import { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { invariant } from '../protocol/errors.ts';
import { BufferPool } from './buffer-pool.ts';

interface TensorRecord {
  dtype: tf.DataType;
  shape: number[];
  values: ArrayBufferView | null;
  resource?: GPUBuffer;
}

/** The members we rely on, typed; several are private in the published typings. */
interface BackendInternals {
  device: GPUDevice;
  queue: GPUQueue;
  bufferManager: BufferPool;
  tensorMap: { get(id: object): TensorRecord | undefined; has(id: object): boolean };
  commandEncoder: GPUCommandEncoder | null;
  computePassEncoder: GPUComputePassEncoder | null;
  dispatchCountInPass: number;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
  uploadToGPU(id: object): void;
  makeTensorInfo(shape: number[], dtype: tf.DataType): tf.TensorInfo;
  read(id: object): Promise<ArrayBufferView>;
}

const PRIVATE_MEMBERS = [
  'device', 'queue', 'bufferManager', 'tensorMap', 'ensureCommandEncoderReady', 'endComputePassEncoder', 'submitQueue', 'uploadToGPU',
  'makeTensorInfo', 'read', 'commandEncoder', 'computePassEncoder', 'dispatchCountInPass',
] as const;

/** @throws Error "Invariant violation" naming the first member that the backend lacks. */
export function checkPrivateMembers(backend: object): void {
  for (const member of PRIVATE_MEMBERS) invariant(member in backend, `tfjs-backend-webgpu has no member "${member}"; its version must be exactly 4.22.0`);
}

/** The tfjs backend on our own device, seen through the members our kernels need. */
export class TfjsBackend {
  readonly pool: BufferPool;
  /** Queue submits since the start. */
  submits = 0;
  private readonly internals: BackendInternals;
  private beforeSubmit: (() => void) | null = null;

  private constructor(backend: WebGPUBackend, device: GPUDevice) {
    checkPrivateMembers(backend);
    this.internals = backend as unknown as BackendInternals;
    this.internals.bufferManager.dispose();
    this.pool = new BufferPool(device, device.limits.maxStorageBufferBindingSize);
    this.internals.bufferManager = this.pool;
    const submit = this.internals.submitQueue.bind(backend);
    this.internals.submitQueue = () => {
      this.beforeSubmit?.();
      this.submits++;
      submit();
    };
    this.internals.read = (id) => this.readData(id);
  }

  /** Registers the backend under the name "webgpu" on `device` and makes it tfjs's current one. */
  static async register(device: GPUDevice, info: GPUAdapterInfo): Promise<TfjsBackend> {
    const backend = new WebGPUBackend(device, info);
    const wrapped = new TfjsBackend(backend, device);
    tf.removeBackend('webgpu');
    tf.registerBackend('webgpu', () => backend, 10);
    await tf.setBackend('webgpu');
    await tf.ready();
    tf.env().set('WEBGPU_CPU_FORWARD', false);
    return wrapped;
  }

  /** Runs before every submit, tfjs's own included. One listener only: a second would silently starve the first. */
  onBeforeSubmit(callback: () => void): void {
    invariant(this.beforeSubmit === null, 'one Gpu per backend');
    this.beforeSubmit = callback;
  }

  /** Uninitialised tensor on the GPU. */
  emptyTensor(shape: number[], dtype: 'float32' | 'int32'): tf.Tensor {
    const info = this.internals.makeTensorInfo(shape, dtype);
    this.internals.uploadToGPU(info.dataId);
    return tf.engine().makeTensorFromTensorInfo(info);
  }

  /** The tensor's GPU buffer; uploads it first when its values are still on the CPU. */
  bufferOf(tensor: tf.Tensor): GPUBuffer {
    const { tensorMap } = this.internals;
    const resident = tensorMap.get(tensor.dataId)?.resource;
    if (resident) return resident;
    this.internals.uploadToGPU(tensor.dataId);
    const buffer = tensorMap.get(tensor.dataId)?.resource;
    invariant(buffer, `tensor ${tensor.id} has no GPU buffer; was it disposed?`);
    return buffer;
  }

  /** The open compute pass of the current encoder, in order with tfjs's own commands. */
  computePass(): GPUComputePassEncoder {
    const { internals } = this;
    internals.ensureCommandEncoderReady();
    internals.computePassEncoder ??= internals.commandEncoder!.beginComputePass();
    return internals.computePassEncoder;
  }

  /** Opens a compute pass of its own, whose begin and end are written down; the next command ends it. */
  timedPass(timestampWrites: GPUComputePassTimestampWrites): GPUComputePassEncoder {
    const { internals } = this;
    const encoder = this.encoder();
    internals.computePassEncoder = encoder.beginComputePass({ timestampWrites });
    return internals.computePassEncoder;
  }

  /** The current encoder outside any pass, for copies. */
  encoder(): GPUCommandEncoder {
    this.internals.ensureCommandEncoderReady();
    this.internals.endComputePassEncoder();
    return this.internals.commandEncoder!;
  }

  /** Sends everything recorded so far. */
  submit(): void {
    if (!this.internals.commandEncoder) return;
    this.internals.endComputePassEncoder();
    this.internals.submitQueue();
  }

  /**
   * Copies `bytes` of a buffer to the CPU, as it is after all work recorded so far. The copy is recorded and sent at once;
   * later work does not delay it, so the promise may be awaited a step later.
   */
  async readBuffer(buffer: GPUBuffer, bytes: number): Promise<ArrayBuffer> {
    const staging = this.pool.acquireBuffer(bytes, GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ);
    this.encoder().copyBufferToBuffer(buffer, 0, staging, 0, bytes);
    this.submit();
    try {
      await staging.mapAsync(GPUMapMode.READ, 0, bytes);
      return staging.getMappedRange(0, bytes).slice(0);
    } finally {
      if (staging.mapState === 'mapped') staging.unmap();
      this.pool.releaseBuffer(staging);
    }
  }

  /** tfjs reads whole buffers, which are rounded up here, and caches a CPU copy that later kernels would not refresh: read exactly, cache nothing. */
  private async readData(id: object): Promise<ArrayBufferView> {
    const record = this.internals.tensorMap.get(id);
    invariant(record, 'read of a disposed tensor');
    if (record.values) return record.values;
    const size = record.shape.reduce((product, n) => product * n, 1);
    const bytes = await this.readBuffer(record.resource!, size * 4);
    if (record.dtype === 'float32') return new Float32Array(bytes);
    const integers = new Int32Array(bytes);
    return record.dtype === 'bool' ? Uint8Array.from(integers) : integers;
  }
}
