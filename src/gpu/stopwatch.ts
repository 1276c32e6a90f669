/** How long the GPU takes for work that is repeated: by its own clock where it has one, else by ours. */
import type { Gpu } from './gpu.ts';
import { readStamps } from './timestamps.ts';

/** What one reading lasts at least, and at most so many repetitions of short work. */
const LEAST_MS = 4;
const MOST_REPETITIONS = 400;
/** Passes whose times make one reading. */
const MOST_PASSES = 16;

export interface Stopwatch {
  /**
   * Milliseconds that `work` takes once, from one reading over several repetitions.
   * @param work records dispatches and nothing else, and has run before, so that nothing is compiled
   * @param about milliseconds that it is thought to take
   */
  time(work: () => void, about: number): Promise<number>;
}

const repetitions = (about: number) => Math.max(1, Math.min(MOST_REPETITIONS, Math.ceil(LEAST_MS / Math.max(about, 1e-3))));

/** Work of one reading in one batch, between two looks at our clock. */
export function wallStopwatch(gpu: Gpu): Stopwatch {
  return {
    async time(work, about) {
      const times = repetitions(about);
      await gpu.finish();
      const start = performance.now();
      for (let i = 0; i < times; i++) work();
      await gpu.finish();
      return (performance.now() - start) / times;
    },
  };
}

/**
 * Browsers round a timestamp to 0.1 ms: repetitions share a pass, as many as one submit takes, and passes add up.
 * @throws Error from the device when it has no timestamp-query
 */
function timestampStopwatch(gpu: Gpu): Stopwatch {
  const { device, backend } = gpu;
  const wall = wallStopwatch(gpu);
  return {
    async time(work, about) {
      gpu.submit();
      const before = gpu.dispatches;
      work();
      const dispatches = Math.max(1, gpu.dispatches - before);
      const wanted = repetitions(about);
      const perPass = Math.max(1, Math.min(wanted, Math.floor((gpu.shape.submitEvery - 1) / dispatches)));
      const passes = Math.min(MOST_PASSES, Math.ceil(wanted / perPass));
      const querySet = device.createQuerySet({ type: 'timestamp', count: 2 * passes });
      for (let pass = 0; pass < passes; pass++) {
        gpu.submit();
        backend.timedPass({ querySet, beginningOfPassWriteIndex: 2 * pass, endOfPassWriteIndex: 2 * pass + 1 });
        for (let i = 0; i < perPass; i++) work();
      }
      gpu.submit();
      const stamps = await readStamps(device, querySet, 2 * passes);
      let nanoseconds = 0;
      for (let pass = 0; pass < passes; pass++) nanoseconds += Number(stamps[2 * pass + 1] - stamps[2 * pass]);
      // Some drivers reset their clock in between, and some round all of it away.
      return nanoseconds > 0 && nanoseconds < 1e11 ? nanoseconds / 1e6 / (passes * perPass) : wall.time(work, about);
    },
  };
}

export function stopwatchOf(gpu: Gpu): Stopwatch {
  return gpu.device.features.has('timestamp-query') ? timestampStopwatch(gpu) : wallStopwatch(gpu);
}
