/** The session's engine on WebGPU. */
import { adaptedModules } from '../checkpoint/adapted-modules.ts';
import { guardMemory, openGpu, type OpenedGpu } from '../gpu/device.ts';
import type { Gpu } from '../gpu/gpu.ts';
import { matmulForward, uploadWeight, viewOf } from '../kernels/matmul.ts';
import { loadModel } from '../model/load.ts';
import { selfTest } from '../model/self-test.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { DeviceSummary } from '../protocol/messages.ts';
import { packNf4 } from '../quantization/packed-weight.ts';
import { AdaptedModel } from '../training/adapted-model.ts';
import { SideBySide } from '../training/side-by-side.ts';
import type { WorkSpeed } from '../training/work.ts';
import type { Engine, LoadedModel, OpenEngine } from './engine.ts';
import { GpuChoices } from './gpu-choices.ts';

/**
 * Opens the GPU, proves it on a small computation and measures its speed.
 * @throws LorikeetError "webgpu-missing", "self-test-failed"
 */
export const openGpuEngine: OpenEngine = async (power) => {
  const opened = await openGpu({ power });
  const test = await selfTest(opened.gpu);
  if (!test.passed) {
    throw new LorikeetError(
      'self-test-failed',
      `${opened.description} computes wrong results (relative error ${test.maxError.toExponential(1)}).`,
      'Update the graphics driver or the browser, or use another GPU; training on this one would spoil the adapter.',
    );
  }
  return engineOn(opened, { power, selfTest: test }, { passes: await measureSpeed(opened.gpu), decoding: null });
};

/** The engine on a GPU that is open already. @param known what was asked for, and found */
export function engineOn({ gpu, description, other, isFallback, lost }: OpenedGpu, known: Pick<DeviceSummary, 'power' | 'selfTest'>, speed: WorkSpeed | null): Engine {
  const { limits, features } = gpu.device;
  return {
    device: {
      ...known,
      adapter: description,
      other,
      isFallback,
      features: [...features].sort(),
      maxBufferBytes: limits.maxBufferSize,
      maxBindingBytes: limits.maxStorageBufferBindingSize,
    },
    speed,
    kernels: new GpuChoices(gpu, isFallback),
    lost,
    async load(files, kindOf, onProgress, cache): Promise<LoadedModel> {
      const model = await loadModel(gpu, files, { kindOf, onProgress, cache });
      const modules = files.architecture.linearModules;
      let trainable: AdaptedModel | null = null;
      return {
        async attachAdapter(config) {
          trainable?.dispose();
          trainable = null;
          // What a run says of its memory is its own.
          await gpu.trim();
          gpu.halfTiles = config.mixed_precision === 'f16' && gpu.hasF16;
          const adapted = adaptedModules(modules, config);
          trainable = await guardMemory(
            gpu,
            `an adapter of rank ${config.r} on ${adapted.length} modules`,
            () =>
              new AdaptedModel(model, adapted, {
                loraDropout: config.lora_dropout,
                seed: config.seed,
                gradientCheckpointing: config.gradient_checkpointing,
              }),
          );
          return trainable;
        },
        async candidates(adapters, config) {
          gpu.halfTiles = config.mixed_precision === 'f16' && gpu.hasF16;
          return guardMemory(gpu, `${adapters.length} adapters side by side`, () => new SideBySide(model, adapters));
        },
        dispose() {
          trainable?.dispose();
          model.dispose();
        },
      };
    },
  };
}

/** Floating-point operations per second of an NF4 product in the shape of a small training step. */
async function measureSpeed(gpu: Gpu): Promise<number> {
  const { rows, size } = gpu.shape.probe;
  const weight = uploadWeight(gpu, packNf4(Float32Array.from({ length: size * size }, (_, i) => Math.sin(i)), size, size));
  const x = gpu.zeros([rows, size]);
  const y = gpu.empty([rows, size]);
  const multiply = (times: number) => {
    for (let i = 0; i < times; i++) matmulForward(gpu, viewOf(x), rows, weight, viewOf(y));
    return gpu.finish();
  };
  await multiply(1);
  const times = 4;
  const start = performance.now();
  await multiply(times);
  const seconds = (performance.now() - start) / 1000;
  x.dispose();
  y.dispose();
  gpu.destroyBuffer(weight.buffer);
  return (times * 2 * rows * size * size) / seconds;
}
