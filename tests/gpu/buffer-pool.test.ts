import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { BufferPool, roundUpToClass } from '../../src/gpu/buffer-pool.ts';
import { noise, useGpu } from './open.ts';

const gpuOf = useGpu();
const USAGE = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
const newPool = () => new BufferPool(gpuOf().device, 1 << 27);

describe('size classes', () => {
  it('hold what was asked for, waste at most an eighth, and are few', () => {
    const classes = new Set<number>();
    for (let bytes = 1; bytes < 5_000_000; bytes += 1 + (bytes >> 6)) {
      const rounded = roundUpToClass(bytes);
      expect(rounded).toBeGreaterThanOrEqual(bytes);
      expect(rounded % 16).toBe(0);
      if (bytes > 256) expect(rounded).toBeLessThanOrEqual(bytes * 1.125);
      expect(roundUpToClass(rounded)).toBe(rounded);
      classes.add(rounded);
    }
    expect(classes.size).toBeLessThan(16 + 8 * 16);
  });
});

describe('buffer pool', () => {
  it('hands out a freed buffer again, the smallest that fits, and never one of another use', () => {
    const pool = newPool();
    const [small, large] = [pool.acquireBuffer(1 << 20, USAGE), pool.acquireBuffer(3 << 20, USAGE)];
    pool.releaseBuffer(large);
    pool.releaseBuffer(small);
    expect(pool.getNumFreeBuffers()).toBe(2);
    expect(pool.acquireBuffer(900_000, USAGE)).toBe(small);
    expect(pool.acquireBuffer(900_000, USAGE)).toBe(large);
    pool.releaseBuffer(small);
    const uniform = pool.acquireBuffer(900_000, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST);
    expect(uniform).not.toBe(small);
    expect(pool.acquireBuffer(900_000, USAGE, false, false), 'reuse refused').not.toBe(small);
    pool.dispose();
    expect(pool.numBytesAllocated).toBe(0);
  });

  it('does not spend a large buffer on a small tensor', () => {
    const pool = newPool();
    const large = pool.acquireBuffer(4 << 20, USAGE);
    pool.releaseBuffer(large);
    expect(pool.acquireBuffer(400_000, USAGE)).not.toBe(large);
    expect(pool.acquireBuffer(600_000, USAGE)).toBe(large);
    pool.dispose();
  });

  it('counts used and allocated bytes, frees on trim, and refuses foreign buffers', () => {
    const pool = newPool();
    const buffers = [100, 5000, 70_000].map((bytes) => pool.acquireBuffer(bytes, USAGE));
    const total = buffers.reduce((sum, buffer) => sum + buffer.size, 0);
    expect([pool.numBytesUsed, pool.numBytesAllocated, pool.getNumUsedBuffers()]).toEqual([total, total, 3]);
    buffers.forEach((buffer) => pool.releaseBuffer(buffer));
    expect([pool.numBytesUsed, pool.numBytesAllocated, pool.getNumUsedBuffers()]).toEqual([0, total, 0]);
    expect(() => pool.releaseBuffer(buffers[0])).toThrow(/Invariant violation/);
    pool.trim();
    expect([pool.numBytesAllocated, pool.getNumFreeBuffers(), pool.peakBytes]).toEqual([0, 0, total]);
  });

  it('stays bounded while batches of hundreds of lengths come and go', () => {
    const gpu = gpuOf();
    const { pool } = gpu.backend;
    pool.trim();
    const start = pool.numBytesAllocated;
    const widths = [64, 64, 192, 128, 128, 320, 7];
    const batch = (length: number) => widths.map((width) => gpu.empty([length, width]));
    const longest = batch(1024);
    const need = pool.numBytesAllocated - start;
    tf.dispose(longest);
    const lengths = Array.from(noise(400, 1), (value) => 1 + Math.floor(Math.abs(value) * 1023));
    let afterHalf = 0;
    lengths.forEach((length, i) => {
      tf.dispose(batch(length));
      if (i === 199) afterHalf = pool.numBytesAllocated;
    });
    // Short batches may not take buffers eight times their size: what they add is a geometric series of eighths.
    expect(pool.numBytesAllocated - start).toBeLessThan(1.3 * need);
    expect(pool.numBytesAllocated - afterHalf).toBeLessThan(0.01 * need);
  });
});
