/** One device for all test files: they share a page, and what one has compiled the next need not compile again. */
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll } from 'vitest';
import { openGpu } from '../../src/gpu/device.ts';
import type { DeviceProfile } from '../../src/gpu/device-shape.ts';
import type { Gpu } from '../../src/gpu/gpu.ts';

let shared: { gpu: Gpu; profile: DeviceProfile; backend: unknown } | null = null;

/** The page's device; a new one where another was opened in between, since tfjs knows one at a time. */
async function sharedGpu(): Promise<{ gpu: Gpu; profile: DeviceProfile }> {
  if (shared?.backend !== tf.findBackend('webgpu')) shared = null;
  if (!shared) {
    const { gpu } = await openGpu();
    shared = { gpu, profile: gpu.profile, backend: tf.findBackend('webgpu') };
  }
  return shared;
}

/**
 * Opens the GPU before the tests; fails them, never skips, when there is none. Validation errors fail the file.
 * @param profile runs the kernels in the shape of this kind of device, whatever the device is
 */
export function useGpu(profile?: DeviceProfile): () => Gpu {
  let gpu: Gpu;
  const faults: string[] = [];
  const listen = (event: GPUUncapturedErrorEvent) => faults.push(event.error.message);
  beforeAll(async () => {
    const opened = await sharedGpu();
    gpu = Object.assign(opened.gpu, { profile: profile ?? opened.profile });
    gpu.device.addEventListener('uncapturederror', listen);
  });
  afterAll(async () => {
    await gpu.finish();
    gpu.device.removeEventListener('uncapturederror', listen);
    if (faults.length > 0) throw new Error(`GPU validation: ${faults.join('\n')}`);
  });
  return () => gpu;
}

/** Deterministic values in (-1, 1), roughly bell-shaped. */
export function noise(length: number, seed: number): Float32Array {
  const values = new Float32Array(length);
  let state = (seed * 2654435761) >>> 0 || 1;
  const next = () => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 4294967296;
  };
  for (let i = 0; i < length; i++) values[i] = (next() + next() + next()) / 1.5 - 1;
  return values;
}

/** Largest difference, relative to the largest magnitude expected. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let difference = 0;
  let size = 1e-30;
  for (let i = 0; i < expected.length; i++) {
    difference = Math.max(difference, Number.isFinite(actual[i]) ? Math.abs(actual[i] - expected[i]) : Infinity);
    size = Math.max(size, Math.abs(expected[i]));
  }
  return difference / size;
}
