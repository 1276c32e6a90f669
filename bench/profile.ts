/** Where a training step's time goes, kernel by kernel. */
import type { Gpu } from '../src/gpu/gpu.ts';
import { demoAdapter, openDemo } from './demo-model.ts';
import type { BenchContext, BenchGroup } from './page.ts';

const BATCH = 8;

/** Milliseconds and calls per kernel while `work` runs: every dispatch is submitted alone, and the queue ends them in order. */
async function timeKernels(gpu: Gpu, work: () => Promise<void>): Promise<Map<string, { ms: number; calls: number }>> {
  const times = new Map<string, { ms: number; calls: number }>();
  const run = gpu.run.bind(gpu);
  const ends: Promise<void>[] = [];
  await gpu.finish();
  let last = performance.now();
  gpu.run = (kernel, ...rest) => {
    run(kernel, ...rest);
    gpu.submit();
    ends.push(
      gpu.device.queue.onSubmittedWorkDone().then(() => {
        const now = performance.now();
        const entry = times.get(kernel.name) ?? { ms: 0, calls: 0 };
        times.set(kernel.name, { ms: entry.ms + now - last, calls: entry.calls + 1 });
        last = now;
      }),
    );
  };
  try {
    await work();
    await Promise.all(ends);
  } finally {
    gpu.run = run;
  }
  return times;
}

export const benchProfile: BenchGroup = {
  name: 'profile',
  optional: true,
  run: async ({ gpu, options, report }: BenchContext) => {
    const { model, processor, samples } = await openDemo(gpu, options.demoUrl, 'nf4', BATCH);
    const batch = await processor.pack(samples);
    const weights = new Float32Array(batch.targetRows.length).fill(1 / batch.targetRows.length);
    const trainable = demoAdapter(model);
    const step = async () => void (await (await trainable.forwardBackward(batch, weights, 0)).read());
    await step();
    const times = await timeKernels(gpu, step);
    const total = [...times.values()].reduce((sum, { ms }) => sum + ms, 0);
    for (const [name, { ms, calls }] of [...times].sort((a, b) => b[1].ms - a[1].ms)) {
      report({ group: benchProfile.name, name, shape: `${calls} calls`, ms, value: (100 * ms) / total, unit: '%', ratio: null });
    }
    trainable.dispose();
    model.dispose();
  },
};
