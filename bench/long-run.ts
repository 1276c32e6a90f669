/** Whether the hundredth step of a published model takes what the first ones took: time and bytes. */
import { demoAdapter } from './demo-model.ts';
import type { BenchGroup } from './page.ts';
import { randomBatch } from './random-batch.ts';
import { randomModel } from './random-model.ts';
import { median } from './result.ts';
import { fitToCpu, MODEL, RASTERIZER, SFT, sftStep } from './sft-step.ts';

const STEPS = 300;
const STEPS_ON_CPU = 60;
/** Steps whose median is compared, after those that compile. */
const WINDOW = 20;
const WARM_UP = 5;

export const benchLongRun: BenchGroup = {
  name: 'long run',
  optional: true,
  run: async ({ gpu, report }) => {
    const small = gpu.profile === 'rasterizer';
    const steps = small ? STEPS_ON_CPU : STEPS;
    const model = await randomModel(gpu, MODEL, small ? RASTERIZER.cut : null);
    const trainable = demoAdapter(model);
    const { batch } = await randomBatch(model.architecture, small ? SFT.map(fitToCpu) : SFT);
    const step = sftStep(gpu, trainable, batch);
    const times: number[] = [];
    const bytes: number[] = [];
    for (let i = 0; i < steps; i++) {
      const start = performance.now();
      await step();
      times.push(performance.now() - start);
      bytes.push(gpu.bytes());
    }
    const group = benchLongRun.name;
    for (const [from, ratio] of [[WARM_UP, 'baseline'], [steps - WINDOW, median(times.slice(WARM_UP, WARM_UP + WINDOW)) / median(times.slice(steps - WINDOW))]] as const) {
      const shape = `steps ${from + 1} to ${from + WINDOW}`;
      const ms = median(times.slice(from, from + WINDOW));
      report({ group, name: 'SFT, r 16, NF4, recomputing', shape, ms, value: (1e3 * batch.tokenCount) / ms, unit: 'tokens/s', ratio });
      report({ group, name: 'GPU memory held', shape: `after step ${from + WINDOW}`, ms: null, value: bytes[from + WINDOW - 1] / 2 ** 20, unit: 'MiB', ratio: null });
    }
    trainable.dispose();
    model.dispose();
  },
};
