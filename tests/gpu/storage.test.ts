/** Storage in a real browser: IndexedDB with blobs, Web Locks across workers, the origin's private file system. */
import { describe, expect, it } from 'vitest';
import { parseTrainingConfig } from '../../src/protocol/config.ts';
import { lockedRuns, lockRun } from '../../src/storage/locks.ts';
import { RunWriter } from '../../src/storage/run-writer.ts';
import { readRunFiles } from '../../src/storage/export-run.ts';
import { listRuns, readLog } from '../../src/storage/runs.ts';
import { keepDataset, reopenDataset } from '../../src/storage/sources.ts';

const id = (name: string) => `${name}-${performance.now()}`;

function create(runId: string) {
  const config = parseTrainingConfig({});
  return RunWriter.create({
    id: runId, name: runId, createdAt: new Date().toISOString(), config, logConfig: { ...config }, modelName: 'demo', model: { kind: 'demo' }, dataset: { kind: 'demo' },
    environment: { lorikeet_version: '0', user_agent: '', adapter: '', features: [], mixed_precision: 'no', quantization: 'none' }, totalSteps: 10, deletedAt: null,
  });
}

describe('storage in the browser', () => {
  it('appends a row in under a millisecond of the training thread', async () => {
    const runId = id('rows');
    const writer = await create(runId);
    const count = 1000;
    let spent = 0;
    for (let step = 1; step <= count; step++) {
      const row = { step, epoch: 0, loss: 1, learning_rate: 0, grad_norm: 0, tokens_per_second: 0, step_time_ms: 0, gpu_memory_mb: 0, num_tokens: 0, samples: 0, elapsed_s: 0, time: '' };
      const before = performance.now();
      writer.append([{ kind: 'train', row }], { step });
      spent += performance.now() - before;
      if (step % 10 === 0) await new Promise((resolve) => setTimeout(resolve));
    }
    await writer.flush();
    console.log(`a log row costs ${(spent / count).toFixed(4)} ms of the training thread`);
    expect(spent / count).toBeLessThan(1);
    expect((await readLog(runId)).train_history.length).toBe(count);
  });

  it('keeps large directories byte for byte and switches them', async () => {
    const runId = id('directories');
    const writer = await create(runId);
    const bytes = Uint8Array.from({ length: 8 * 2 ** 20 }, (_, i) => (i * 7919) >>> 5);
    await writer.writeDirectory('resume', 1, new Map([['optimizer.safetensors', bytes.slice(0, 1000)]]));
    await writer.writeDirectory('resume', 2, new Map([['optimizer.safetensors', bytes]]));
    const reopened = await RunWriter.open(runId);
    expect(reopened.directories.resume.step).toBe(2);
    const read = (await reopened.readDirectory('resume')).get('optimizer.safetensors')!;
    expect(read.length).toBe(bytes.length);
    expect(read.every((byte, i) => byte === bytes[i])).toBe(true);
    const files = await readRunFiles(runId);
    expect(files.map(({ path, file }) => [path, file.size]).filter(([path]) => String(path).endsWith('.safetensors'))).toEqual([['checkpoint-2/optimizer.safetensors', bytes.length]]);
  });

  it('locks a run for as long as it is trained', async () => {
    const runId = id('locked');
    const writer = await create(runId);
    const release = await lockRun(runId);
    writer.append([], { status: 'running' });
    await writer.flush();
    const status = async () => (await listRuns()).find((run) => run.id === runId)?.status;
    expect(await status()).toBe('running');
    await expect(lockRun(runId)).rejects.toMatchObject({ code: 'run-locked' });
    await release();
    expect((await lockedRuns()).has(runId)).toBe(false);
    expect(await status()).toBe('interrupted');
  });

  it('keeps a dataset in the private file system', async () => {
    const content = `[${performance.now()}]`;
    const source = { kind: 'files' as const, train: [{ path: 'a/train.json', file: new Blob([content]) }], validation: [{ path: 'val.json', file: new Blob(['[]']) }] };
    const reference = await keepDataset(source);
    expect(reference).toMatchObject({ kept: true });
    const reopened = await reopenDataset(reference);
    if (reopened.kind !== 'files') throw new Error('expected files');
    expect(reopened.train[0].path).toBe('a/train.json');
    expect(await reopened.train[0].file.text()).toBe(content);
    expect(await reopened.validation[0].file.text()).toBe('[]');
  });
});
