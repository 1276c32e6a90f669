/**
 * Buffer pool that replaces the one of the tfjs backend.
 * tfjs keys free buffers by exact size and never gives one back, so variable sequence lengths grow it without end.
 * Here a request takes the smallest free buffer that fits; once the longest batch has been seen nothing more is allocated.
 */

/** A free buffer may be this many times larger than asked for; beyond that a small tensor would hog a large buffer. */
const MAX_OVERSIZE = 8;
/** Below this size any free buffer will do. */
const SMALL_BYTES = 1 << 16;

/** Sizes grow in eighths of a power of two: at most 12.5 % waste, few distinct sizes. */
export function roundUpToClass(bytes: number): number {
  if (bytes <= 256) return Math.max(16, Math.ceil(bytes / 16) * 16);
  const granule = 2 ** Math.max(4, Math.floor(Math.log2(bytes)) - 3);
  return Math.ceil(bytes / granule) * granule;
}

/** Size and usage beside the buffer: asking the buffer itself costs a call out of JavaScript. */
interface PooledBuffer {
  readonly buffer: GPUBuffer;
  readonly size: number;
  readonly usage: number;
}

/** Has the surface that tfjs-backend-webgpu 4.22 expects of its BufferManager. */
export class BufferPool {
  numBytesUsed = 0;
  numBytesAllocated = 0;
  /** Highest numBytesAllocated so far. */
  peakBytes = 0;
  /** By usage, sorted by size. */
  private readonly free = new Map<number, PooledBuffer[]>();
  private readonly used = new Map<GPUBuffer, PooledBuffer>();

  constructor(
    private readonly device: GPUDevice,
    private readonly maxRounded: number,
  ) {}

  /** tfjs signature: `reuse = false` bypasses the pool. Mapped buffers are always fresh ones or come back unmapped. */
  acquireBuffer(size: number, usage: GPUBufferUsageFlags, mappedAtCreation = false, reuse = true): GPUBuffer {
    const pooled = (reuse ? this.takeFree(size, usage) : undefined) ?? this.create(size, usage, mappedAtCreation);
    this.used.set(pooled.buffer, pooled);
    this.numBytesUsed += pooled.size;
    return pooled.buffer;
  }

  releaseBuffer(buffer: GPUBuffer, reuse = true): void {
    const pooled = this.used.get(buffer);
    if (!pooled) throw new Error('Invariant violation: released a buffer that this pool does not own');
    this.used.delete(buffer);
    this.numBytesUsed -= pooled.size;
    if (!reuse) {
      this.destroy(pooled);
      return;
    }
    const list = this.freeList(pooled.usage);
    list.splice(lowerBound(list, pooled.size), 0, pooled);
  }

  /** Destroys every free buffer. Call only when no recorded work still uses them. */
  trim(): void {
    for (const list of this.free.values()) {
      for (const pooled of list) this.destroy(pooled);
      list.length = 0;
    }
  }

  getNumUsedBuffers(): number {
    return this.used.size;
  }

  getNumFreeBuffers(): number {
    let total = 0;
    for (const list of this.free.values()) total += list.length;
    return total;
  }

  dispose(): void {
    this.trim();
    for (const pooled of this.used.values()) this.destroy(pooled);
    this.used.clear();
    this.numBytesUsed = 0;
  }

  private freeList(usage: number): PooledBuffer[] {
    let list = this.free.get(usage);
    if (!list) this.free.set(usage, (list = []));
    return list;
  }

  private takeFree(size: number, usage: number): PooledBuffer | undefined {
    const list = this.freeList(usage);
    const at = lowerBound(list, size);
    const candidate = list[at];
    if (!candidate || candidate.size > Math.max(size * MAX_OVERSIZE, SMALL_BYTES)) return undefined;
    list.splice(at, 1);
    return candidate;
  }

  private create(size: number, usage: number, mappedAtCreation: boolean): PooledBuffer {
    const rounded = roundUpToClass(size);
    const bytes = rounded <= this.maxRounded ? rounded : Math.ceil(size / 4) * 4;
    const buffer = this.device.createBuffer({ size: bytes, usage, mappedAtCreation });
    this.numBytesAllocated += bytes;
    this.peakBytes = Math.max(this.peakBytes, this.numBytesAllocated);
    return { buffer, size: bytes, usage };
  }

  private destroy({ buffer, size }: PooledBuffer): void {
    this.numBytesAllocated -= size;
    buffer.destroy();
  }
}

/** Index of the first buffer that is not smaller than `size` in a list sorted by size. */
function lowerBound(list: readonly PooledBuffer[], size: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle].size < size) low = middle + 1;
    else high = middle;
  }
  return low;
}
