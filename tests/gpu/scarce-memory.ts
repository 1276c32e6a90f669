/** A device that has less memory than it has: buffers beyond a limit are refused as WebGPU refuses them. */
import type { Gpu } from '../../src/gpu/gpu.ts';

/**
 * From now on the ledger of `gpu` may not go beyond `bytes`. A buffer that is refused cannot be used, and nothing throws: the
 * error waits in the scope, as with a device whose memory is used up.
 * @returns ends it
 */
export function limitMemory(gpu: Gpu, bytes: number): () => void {
  const { device } = gpu;
  const filters: GPUErrorFilter[] = [];
  let refused: string | null = null;
  device.createBuffer = (descriptor) => {
    // Memory that is mapped is the processor's own.
    if (descriptor.mappedAtCreation || gpu.bytes() + descriptor.size <= bytes) return GPUDevice.prototype.createBuffer.call(device, descriptor);
    refused = `a buffer of ${descriptor.size} bytes beside ${gpu.bytes()}`;
    return GPUDevice.prototype.createBuffer.call(device, { ...descriptor, usage: 0 });
  };
  device.pushErrorScope = (filter) => {
    filters.push(filter);
    GPUDevice.prototype.pushErrorScope.call(device, filter);
  };
  device.popErrorScope = async () => {
    const exhausted = filters.pop() === 'out-of-memory' ? refused : null;
    const error = await GPUDevice.prototype.popErrorScope.call(device);
    if (exhausted === null) return error;
    refused = null;
    return new GPUOutOfMemoryError(exhausted);
  };
  return () => {
    for (const name of ['createBuffer', 'pushErrorScope', 'popErrorScope'] as const) Reflect.deleteProperty(device, name);
  };
}
