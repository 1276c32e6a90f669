/** Opens the GPU: adapter, device with everything it offers, tfjs on top. */
import { LorikeetError } from '../protocol/errors.ts';
import type { PowerPreference } from '../protocol/messages.ts';
import { chooseAdapter, type ChosenAdapter } from './adapters.ts';
import type { DeviceProfile } from './device-shape.ts';
import { Gpu } from './gpu.ts';
import { TfjsBackend } from './tfjs-backend.ts';

// Typed as strings: the feature list of the installed typings is older than the browsers'.
const WANTED_FEATURES: readonly string[] = ['shader-f16', 'subgroups', 'timestamp-query'];
const RASTERIZER_NAMES = /swiftshader|llvmpipe|lavapipe|softpipe|basic render/i;

export interface OpenedGpu extends Omit<ChosenAdapter, 'adapter'> {
  gpu: Gpu;
  isFallback: boolean;
  /** Resolves with the reason when the device goes away. */
  lost: Promise<LorikeetError>;
}

/** Overrides for tests and benchmarks; left out, the device decides. */
export interface OpenOptions {
  /** The fast GPU where left out. */
  power?: PowerPreference;
  /** Kernel shapes of this kind of device. */
  profile?: DeviceProfile;
  /** Dispatches per queue submit. */
  submitEvery?: number;
}

/**
 * Requests the adapter and a device with all its limits and the features we can use, and registers tfjs on it.
 * @throws LorikeetError "webgpu-missing" when the browser has no WebGPU or no adapter
 */
export async function openGpu(options: OpenOptions = {}): Promise<OpenedGpu> {
  const entry = navigator.gpu as GPU | undefined;
  if (!entry) {
    throw new LorikeetError('webgpu-missing', 'This browser has no WebGPU.', 'Use a current Chrome, Edge, or another browser with WebGPU switched on, over https or localhost.');
  }
  const { adapter, description, other } = await chooseAdapter(entry, options.power ?? 'high-performance');
  const limits: Record<string, number> = {};
  for (const name in adapter.limits) {
    const value = (adapter.limits as unknown as Record<string, unknown>)[name];
    if (typeof value === 'number') limits[name] = value;
  }
  const device = await adapter.requestDevice({
    requiredFeatures: WANTED_FEATURES.filter((feature) => adapter.features.has(feature)) as GPUFeatureName[],
    requiredLimits: limits,
  });
  const { info } = adapter;
  const isFallback = RASTERIZER_NAMES.test(description) || info.isFallbackAdapter;
  const profile = options.profile ?? (isFallback ? 'rasterizer' : 'gpu');
  const backend = await TfjsBackend.register(device, info);
  const lost = device.lost.then(
    (reason) =>
      new LorikeetError('device-lost', `The GPU went away (${reason.reason}): ${reason.message || 'no reason given'}`, 'Nothing saved is lost: continue the run from its last saved step.'),
  );
  return { gpu: new Gpu(device, backend, profile, options.submitEvery), description, other, isFallback, lost };
}

/**
 * Creates a buffer at once; whether there was memory for it, the GPU says later.
 * @returns the buffer, and a promise that rejects with LorikeetError "out-of-memory"
 */
export function createGuarded(gpu: Gpu, what: string, bytes: number): { buffer: GPUBuffer; granted: Promise<void> } {
  openScopes(gpu);
  const buffer = gpu.createBuffer(bytes);
  return { buffer, granted: closeScopes(gpu, what) };
}

/**
 * Runs work under an out-of-memory scope: on WebGPU a failed allocation is silent otherwise.
 * @throws LorikeetError "out-of-memory" with what was being allocated
 */
export async function guardMemory<T>(gpu: Gpu, what: string, work: () => Promise<T> | T): Promise<T> {
  openScopes(gpu);
  let result: T;
  try {
    result = await work();
  } finally {
    await closeScopes(gpu, what);
  }
  return result;
}

function openScopes({ device }: Gpu): void {
  device.pushErrorScope('out-of-memory');
  device.pushErrorScope('validation');
}

/** @throws LorikeetError "out-of-memory" */
async function closeScopes(gpu: Gpu, what: string): Promise<void> {
  const [refused, error] = await Promise.all([gpu.device.popErrorScope(), gpu.device.popErrorScope()]);
  // A buffer that there was no memory for refuses all that is then done with it.
  if (refused && !error) gpu.refuse(refused);
  if (error) {
    throw new LorikeetError('out-of-memory', `The GPU has no memory left for ${what}: ${error.message}`, 'Lower the batch size, the maximum length, the image size or the rank, or keep 4-bit and gradient checkpointing on.');
  }
}
