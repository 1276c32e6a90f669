/** What one row of the training log costs the training thread, on the browser's own IndexedDB. */
import { parseTrainingConfig } from '../src/protocol/config.ts';
import type { TrainRow } from '../src/protocol/log.ts';
import { RunWriter } from '../src/storage/run-writer.ts';
import { readLog } from '../src/storage/runs.ts';
import type { BenchGroup } from './page.ts';

const ROWS = 1000;

async function createRun(id: string): Promise<RunWriter> {
  const config = parseTrainingConfig({});
  const environment = { lorikeet_version: '0', user_agent: '', adapter: '', features: [], mixed_precision: 'no' as const, quantization: 'none' };
  return RunWriter.create({
    id, name: id, createdAt: new Date().toISOString(), config, logConfig: { ...config }, modelName: 'demo', model: { kind: 'demo' }, dataset: { kind: 'demo' }, environment, totalSteps: ROWS, deletedAt: null,
  });
}

const rowOf = (step: number): TrainRow => ({
  step, epoch: step / 100, loss: 1 / step, learning_rate: 1e-4, grad_norm: 0.5, tokens_per_second: 123.4, step_time_ms: 5678.9, gpu_memory_mb: 23.4,
  num_tokens: 800 * step, samples: 8 * step, elapsed_s: 5 * step, time: new Date().toISOString(),
});

/** Resolves in a task of its own; setTimeout would wait four milliseconds each time. */
function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** Two figures: the call itself, and as an upper bound the whole time that a row takes while nothing else runs. */
export const benchLogging: BenchGroup = {
  name: 'logging',
  browserOnly: true,
  run: async ({ report }) => {
    const id = `bench-${Date.now()}`;
    const writer = await createRun(id);
    let calls = 0;
    const start = performance.now();
    for (let step = 1; step <= ROWS; step++) {
      const row = rowOf(step);
      const before = performance.now();
      writer.append([{ kind: 'train', row }], { step, lastLoss: row.loss });
      calls += performance.now() - before;
      await nextTask();
    }
    await writer.flush();
    const all = performance.now() - start;
    const stored = (await readLog(id)).train_history.length;
    if (stored !== ROWS) throw new Error(`${stored} of ${ROWS} rows were stored`);
    const group = benchLogging.name;
    report({ group, name: 'RunWriter.append, the call', shape: `${ROWS} rows`, ms: calls / ROWS, value: calls / ROWS, unit: 'ms per row', ratio: null });
    report({ group, name: 'until it is on disk, waiting included', shape: `${ROWS} rows`, ms: all / ROWS, value: all / ROWS, unit: 'ms per row', ratio: null });
  },
};
