/** A device whose ledger is kept and whose kernels do nothing: what buffers hold does not matter to how many there are. */
import { DEVICE_SHAPES } from '../../src/gpu/device-shape.ts';
import type { Gpu } from '../../src/gpu/gpu.ts';

/**
 * From now on dispatches are counted, and sent as often as before, but not run; whatever is read is zero.
 * @returns ends it
 */
export function idleKernels(gpu: Gpu): () => void {
  const { submitEvery } = DEVICE_SHAPES[gpu.profile];
  const { readFloats, readInts } = gpu;
  let recorded = 0;
  gpu.run = () => {
    if (++recorded % submitEvery === 0) gpu.submit();
  };
  gpu.readFloats = async (...what) => (await readFloats.apply(gpu, what)).fill(0);
  gpu.readInts = async (...what) => (await readInts.apply(gpu, what)).fill(0);
  return () => {
    for (const name of ['run', 'readFloats', 'readInts'] as const) Reflect.deleteProperty(gpu, name);
  };
}
