/** Time on the GPU alone, where the device can tell it. */
import { DispatchTimer, type DispatchTime } from '../src/gpu/dispatch-timer.ts';
import type { Gpu } from '../src/gpu/gpu.ts';
import { median, timeMedian } from './result.ts';

/** What each dispatch of `work` took. */
export async function dispatchTimes(gpu: Gpu, work: () => Promise<void> | void): Promise<DispatchTime[]> {
  gpu.submit();
  const timer = new DispatchTimer(gpu.device);
  gpu.timer = timer;
  try {
    await work();
  } finally {
    gpu.timer = null;
    await gpu.finish();
  }
  return timer.read();
}

/** A GPU that had nothing to do runs at a fraction of its clock; it takes as long to come up. */
const WARM_UP_MS = 60;

/** Keeps the GPU busy until its clock is up. */
export async function warmUp(gpu: Gpu, launch: () => void): Promise<void> {
  if (gpu.profile === 'rasterizer') return;
  for (const start = performance.now(); performance.now() - start < WARM_UP_MS; ) {
    for (let i = 0; i < 10; i++) launch();
    await gpu.finish();
  }
}

/**
 * Median milliseconds of the dispatches of `launch` together: on the GPU's own clock, else on ours, `times` in one submit.
 * `launch` has run before, so that nothing is compiled.
 */
export async function gpuMs(gpu: Gpu, launch: () => void, times: number): Promise<number> {
  await warmUp(gpu, launch);
  if (gpu.device.features.has('timestamp-query')) {
    const runs: number[] = [];
    const all = await dispatchTimes(gpu, () => {
      for (let i = 0; i < times; i++) launch();
    });
    const each = all.length / times;
    for (let i = 0; i < times; i++) runs.push(all.slice(i * each, (i + 1) * each).reduce((sum, { ms }) => sum + ms, 0));
    return median(runs);
  }
  const ms = await timeMedian(async () => {
    for (let i = 0; i < times; i++) launch();
    await gpu.finish();
  });
  return ms / times;
}
