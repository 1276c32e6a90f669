/** What a dispatch costs beside its work: JavaScript to record it, and the GPU to start it. */
import { swigluForward } from '../src/kernels/activation.ts';
import type { BenchGroup } from './page.ts';
import { median, timeMedian } from './result.ts';

const DISPATCHES = 2000;

export const benchDispatch: BenchGroup = {
  name: 'dispatch cost',
  optional: true,
  run: async ({ gpu, report }) => {
    const [gate, up] = [gpu.zeros([1, 64]), gpu.zeros([1, 64])];
    const recording: number[] = [];
    const work = async () => {
      const start = performance.now();
      for (let i = 0; i < DISPATCHES; i++) swigluForward(gpu, gate, up).dispose();
      gpu.submit();
      recording.push(performance.now() - start);
      await gpu.finish();
    };
    const ms = await timeMedian(work);
    const group = benchDispatch.name;
    report({ group, name: 'recording, in JavaScript', shape: `${DISPATCHES} dispatches`, ms: median(recording), value: (1e3 * median(recording)) / DISPATCHES, unit: 'µs', ratio: null });
    report({ group, name: 'recorded and run', shape: `${DISPATCHES} dispatches`, ms, value: (1e3 * ms) / DISPATCHES, unit: 'µs', ratio: null });
    gate.dispose();
    up.dispose();
  },
};
