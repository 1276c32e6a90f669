/** What the device's pool of buffers would hold: the pool itself, on a device that gives nothing. */
import { BufferPool } from '../gpu/buffer-pool.ts';

/** A tensor that is only counted. */
export type Counted = GPUBuffer;

/** Bytes of a number: float32 and int32 alike. */
const NUMBER = 4;
const TENSOR = 1;
/** Copies on their way to the GPU, which the pool does not keep. */
const UPLOAD = 2;

const NOTHING = { createBuffer: ({ size }: GPUBufferDescriptor) => ({ size, destroy: () => undefined }) } as unknown as GPUDevice;

export class PoolForecast {
  private readonly pool = new BufferPool(NOTHING, Infinity);

  /** The most bytes held so far, free buffers included. */
  get peakBytes(): number {
    return this.pool.peakBytes;
  }

  /** A tensor of so many numbers. */
  take(numbers: number): Counted {
    return this.pool.acquireBuffer(Math.ceil(numbers) * NUMBER, TENSOR);
  }

  upload(numbers: number): Counted {
    return this.pool.acquireBuffer(Math.ceil(numbers) * NUMBER, UPLOAD);
  }

  free(...tensors: readonly (Counted | null)[]): void {
    for (const tensor of tensors) if (tensor) this.pool.releaseBuffer(tensor);
  }

  /** Free buffers are given back. */
  release(): void {
    this.pool.trim();
  }

  /** An upload has arrived. */
  arrived(copy: Counted): void {
    this.pool.releaseBuffer(copy, false);
  }
}
