/**
 * Puts WebGPU on globalThis from the dawn.node beside the bundle. Imported before anything else:
 * the engine reads the constants (GPUBufferUsage, …) while its modules load.
 */
import { createRequire } from 'node:module';

interface Dawn {
  /** @param options "key=value", e.g. "backend=vulkan", "adapter=llvmpipe", "enable-dawn-features=allow_unsafe_apis" */
  create: (options: string[]) => GPU;
  globals: Record<string, unknown>;
}

const dawn = createRequire(import.meta.url)('./dawn.node') as Dawn;
Object.assign(globalThis, dawn.globals);
// tfjs registers its WebGPU backend while it loads, and only where it sees navigator.gpu.
setNavigator({ gpu: {} });

/** Node 21 and later have a navigator of their own, without gpu. */
function setNavigator(value: object | undefined): void {
  Object.defineProperty(globalThis, 'navigator', { value, configurable: true, writable: true });
}

/** Makes `navigator.gpu` an instance of Dawn. */
export function installGpu(options: string[]): void {
  setNavigator({ gpu: dawn.create(options), userAgent: `Node ${process.version}, Dawn` });
}

/** Lets go of Dawn, whose instance would keep the process alive. */
export function removeGpu(): void {
  setNavigator(undefined);
}

/**
 * While `work` runs, adapters own up to no more than `bytes` per storage binding, as those of small devices do.
 * The device is then asked for just that, and Dawn enforces it.
 */
export async function withBindingLimit<T>(bytes: number, work: () => Promise<T>): Promise<T> {
  const { gpu } = navigator;
  const limited = {
    async requestAdapter(options?: GPURequestAdapterOptions) {
      const adapter = await gpu.requestAdapter(options);
      if (!adapter) return null;
      const limits: Record<string, number> = {};
      for (const name in adapter.limits) limits[name] = (adapter.limits as unknown as Record<string, number>)[name];
      limits.maxStorageBufferBindingSize = Math.min(limits.maxStorageBufferBindingSize, bytes);
      return { limits, features: adapter.features, info: adapter.info, requestDevice: (descriptor?: GPUDeviceDescriptor) => adapter.requestDevice(descriptor) };
    },
  };
  Object.defineProperty(navigator, 'gpu', { value: limited, configurable: true });
  try {
    return await work();
  } finally {
    Object.defineProperty(navigator, 'gpu', { value: gpu, configurable: true });
  }
}
