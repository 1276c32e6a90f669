import { beforeEach, describe, expect, it } from 'vitest';
import { parseTrainingConfig } from '../../../src/protocol/config.ts';
import type { TrainRow } from '../../../src/protocol/log.ts';
import { readKeys } from '../../../src/storage/database.ts';
import { lockRun } from '../../../src/storage/locks.ts';
import { rangeOf } from '../../../src/storage/records.ts';
import { RunWriter } from '../../../src/storage/run-writer.ts';
import { readRunFiles } from '../../../src/storage/export-run.ts';
import { deleteRun, emptyBin, listRuns, readLog, renameRun, restoreRun } from '../../../src/storage/runs.ts';
import { toyConfig, toyRecord } from '../training/toy-run.ts';
import { fillDisk, pretendBrowser } from './pretend-browser.ts';
import type { PretendBrowser } from './pretend-browser.ts';

let browser: PretendBrowser;
beforeEach(() => {
  browser = pretendBrowser();
});

const row = (step: number): TrainRow => ({
  step, epoch: step / 10, loss: 1 / step, learning_rate: 1e-4, grad_norm: 1, tokens_per_second: 1, step_time_ms: 1, gpu_memory_mb: 1,
  num_tokens: step, samples: step, elapsed_s: step, time: '2026-01-01T00:00:00.000Z',
});
const entry = (step: number) => ({ kind: 'train' as const, row: row(step) });
const file = (text: string) => new Map([['a.bin', new TextEncoder().encode(text)], ['b.bin', new TextEncoder().encode(`${text}!`)]]);
const text = (files: Map<string, Uint8Array>, name = 'a.bin') => new TextDecoder().decode(files.get(name));
const create = (id: string) => RunWriter.create(toyRecord(id, toyConfig()));

describe('log rows', () => {
  it('are there after a crash, up to the last one queued before the disk was reached', async () => {
    const writer = await create('rows');
    writer.append([entry(1)], { status: 'running', step: 1, lastLoss: 1 });
    writer.append([entry(2)], { step: 2, lastLoss: 0.5 });
    await writer.flush();
    const log = await readLog('rows');
    expect(log.train_history.map(({ step }) => step)).toEqual([1, 2]);
    expect((await listRuns()).find(({ id }) => id === 'rows')).toMatchObject({ step: 2, lastLoss: 0.5 });
  });

  it('cost the training less than a millisecond each over 10,000 rows, and are read back whole', async () => {
    const writer = await create('many');
    let worst = 0;
    const started = performance.now();
    for (let step = 1; step <= 10_000; step++) {
      const before = performance.now();
      writer.append([entry(step)], { step, lastLoss: 1 / step });
      worst = Math.max(worst, performance.now() - before);
      if (step % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await writer.flush();
    const perRow = (performance.now() - started) / 10_000;
    const records = (await readKeys(rangeOf.rows('many'))).length;
    const readStarted = performance.now();
    const log = await readLog('many');
    console.log(`10,000 rows: ${perRow.toFixed(4)} ms a row with writing, slowest append ${worst.toFixed(3)} ms, ${records} records, read in ${(performance.now() - readStarted).toFixed(0)} ms`);
    expect(perRow).toBeLessThan(1);
    expect(log.train_history.length).toBe(10_000);
    expect(log.train_history.every(({ step }, i) => step === i + 1)).toBe(true);
    await writer.compact();
    expect((await readKeys(rangeOf.rows('many'))).length).toBe(1);
    expect((await readLog('many')).train_history).toEqual(log.train_history);
  }, 30_000);

  it('are kept in memory while the disk is full, and written once there is room', async () => {
    const writer = await create('full');
    const makeRoom = fillDisk((key) => Array.isArray(key) && key[0] === 'row' && key[1] === 'full');
    writer.append([entry(1)], { step: 1 });
    await expect(writer.flush()).rejects.toMatchObject({ code: 'storage-full' });
    expect(writer.failure).toMatchObject({ code: 'storage-full' });
    writer.append([entry(2)], { step: 2 });
    expect((await readLog('full')).train_history).toEqual([]);
    makeRoom();
    await writer.flush();
    expect(writer.failure).toBeNull();
    expect((await readLog('full')).train_history.map(({ step }) => step)).toEqual([1, 2]);
  });

  it('are all kept where those after a step cannot be dropped', async () => {
    const writer = await create('untruncated');
    for (let step = 1; step <= 3; step++) writer.append([entry(step)]);
    await writer.writeAnswers(3, [], '{}');
    await writer.writeDirectory('checkpoint-3', 3, file('x'));
    const makeRoom = fillDisk((key) => Array.isArray(key) && key[0] === 'head' && key[1] === 'untruncated');
    await expect(writer.truncateLog(1)).rejects.toMatchObject({ code: 'storage-full' });
    makeRoom();
    expect((await readLog('untruncated')).train_history.map(({ step }) => step)).toEqual([1, 2, 3]);
    expect((await readKeys(rangeOf.predictions('untruncated'))).length).toBe(1);
    expect((await RunWriter.open('untruncated')).directories['checkpoint-3'].passedOver).toBeUndefined();
    await writer.truncateLog(1);
    expect((await readKeys(rangeOf.predictions('untruncated'))).length).toBe(0);
    expect((await RunWriter.open('untruncated')).directories['checkpoint-3'].passedOver).toBe(true);
  });

  it('after the resumed step are dropped, notices stay', async () => {
    const writer = await create('truncated');
    for (let step = 1; step <= 6; step++) writer.append([entry(step)]);
    writer.notice({ step: 5, level: 'info', message: 'hello', time: '' });
    await writer.truncateLog(4);
    expect(writer.log().train_history.map(({ step }) => step)).toEqual([1, 2, 3, 4]);
    const reopened = await RunWriter.open('truncated');
    reopened.append([entry(5)]);
    await reopened.flush();
    const log = await readLog('truncated');
    expect(log.train_history.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5]);
    expect(log.notices.map(({ message }) => message)).toEqual(['hello']);
  });
});

describe('directories', () => {
  it('are switched whole: a crash between the writes leaves the old one, and its debris is swept', async () => {
    const writer = await create('switch');
    await writer.writeDirectory('best', 1, file('old'));
    let release = () => {};
    const stuck = new Promise<void>((resolve) => (release = resolve));
    const digest = crypto.subtle.digest.bind(crypto.subtle);
    let hashed = 0;
    crypto.subtle.digest = async (...args) => {
      if (++hashed === 2) await stuck;
      return digest(...args);
    };
    const crashed = writer.writeDirectory('best', 2, file('new'));
    while (hashed < 2) await new Promise((resolve) => setTimeout(resolve, 1));
    crypto.subtle.digest = digest;
    const halfWritten = (await readKeys(rangeOf.files('switch'))).length;
    expect(halfWritten).toBe(4);
    const next = await RunWriter.open('switch');
    expect((await readKeys(rangeOf.files('switch'))).length).toBe(2);
    expect(next.directories.best.step).toBe(1);
    expect(text(await next.readDirectory('best'))).toBe('old');
    release();
    await crashed;
  });

  it('survive a full disk at any of the writes', async () => {
    for (const failAt of [1, 2, 3]) {
      const id = `full-${failAt}`;
      const writer = await create(id);
      await writer.writeDirectory('resume', 1, file('old'));
      let writes = 0;
      const makeRoom = fillDisk((key) => Array.isArray(key) && key[1] === id && ++writes === failAt);
      await expect(writer.writeDirectory('resume', 2, file('new'))).rejects.toMatchObject({ code: 'storage-full' });
      makeRoom();
      expect(text(await writer.readDirectory('resume')), id).toBe('old');
      expect((await readKeys(rangeOf.files(id))).length, id).toBe(2);
      expect((await RunWriter.open(id)).directories.resume.step, id).toBe(1);
      await writer.writeDirectory('resume', 3, file('newer'));
      expect(text(await (await RunWriter.open(id)).readDirectory('resume'), 'b.bin'), id).toBe('newer!');
    }
  });

  it('appear together with the row they belong to', async () => {
    const writer = await create('together');
    const val = { step: 4, epoch: 1, eval_loss: 0.5, eval_runtime: 1, eval_samples: 2, time: '' };
    const best = { step: 4, epoch: 1, metric: 'eval_loss', value: 0.5, path: 'best' };
    const makeRoom = fillDisk((key) => Array.isArray(key) && key[0] === 'row');
    await expect(writer.writeDirectory('best', 4, file('x'), { entries: [{ kind: 'val', row: val }], best })).rejects.toMatchObject({ code: 'storage-full' });
    makeRoom();
    expect(await readLog('together')).toMatchObject({ val_history: [], best_checkpoint: null });
    expect(writer.best).toBeNull();
    await writer.writeDirectory('best', 4, file('x'), { entries: [{ kind: 'val', row: val }], best });
    expect(await readLog('together')).toMatchObject({ val_history: [val], best_checkpoint: best });
  });

  it('tell damage and loss apart by checksum', async () => {
    const writer = await create('damaged');
    await writer.writeDirectory('best', 1, file('content'));
    const { token } = writer.directories.best;
    const { commit } = await import('../../../src/storage/database.ts');
    await commit({ put: [[['file', 'damaged', token, 'a.bin'], new Blob(['cOntent'])]] });
    await expect(writer.readDirectory('best')).rejects.toMatchObject({ code: 'file-corrupt', place: { file: 'best/a.bin' } });
    await commit({ remove: [['file', 'damaged', token, 'a.bin']] });
    await expect(writer.readDirectory('best')).rejects.toMatchObject({ code: 'file-missing', place: { file: 'best/a.bin' } });
  });
});

describe('the list of runs', () => {
  it('calls a run interrupted when nobody trains it any more', async () => {
    const writer = await create('lost');
    await lockRun('lost');
    writer.append([], { status: 'running', step: 3 });
    const state = ['adapter_config.json', 'adapter_model.safetensors', 'optimizer.safetensors', 'trainer_state.json'];
    await writer.writeDirectory('resume', 3, new Map(state.map((name) => [name, new Uint8Array(1)])));
    const find = async () => (await listRuns()).find(({ id }) => id === 'lost');
    expect(await find()).toMatchObject({ status: 'running', resumable: true });
    await expect(lockRun('lost')).rejects.toMatchObject({ code: 'run-locked' });
    await expect(deleteRun('lost')).rejects.toMatchObject({ code: 'run-locked' });
    browser.locks.dropAll();
    expect(await find()).toMatchObject({ status: 'interrupted', resumable: true });
    await (await lockRun('lost'))();
  });

  it('renames, removes, takes back and removes for good', async () => {
    await create('kept');
    const writer = await create('gone');
    writer.append([entry(1)]);
    await writer.writeDirectory('final', 1, file('x'));
    await renameRun('gone', 'A better name');
    const names = async () => (await listRuns()).filter(({ id }) => id === 'gone').map(({ name }) => name);
    expect(await names()).toEqual(['A better name']);
    await deleteRun('gone');
    expect(await names()).toEqual([]);
    await restoreRun('gone');
    expect(await names()).toEqual(['A better name']);
    await deleteRun('gone');
    expect(await emptyBin(60_000)).toEqual([]);
    expect(await emptyBin(-1)).toEqual(['gone']);
    expect(await readKeys(rangeOf.files('gone'))).toEqual([]);
    expect(await readKeys(rangeOf.rows('gone'))).toEqual([]);
    await expect(readLog('gone')).rejects.toMatchObject({ code: 'file-missing' });
    expect((await listRuns()).some(({ id }) => id === 'kept')).toBe(true);
  });

  it('gives the run directory of the contract, the rolling state as the checkpoint of its step', async () => {
    const writer = await create('files');
    writer.append([entry(1)]);
    await writer.writeDirectory('best', 1, file('best'));
    await writer.writeDirectory('checkpoint-2', 2, file('two'));
    await writer.writeDirectory('resume', 2, file('also two'));
    await writer.writeAnswers(1, [], '{"step":1}\n');
    await writer.writeAnswers(2, [], '{"step":2}\n');
    const paths = async () => (await readRunFiles('files')).map(({ path }) => path);
    const common = ['lorikeet_run.json', 'training_log.json', 'sft_config.json', 'best/a.bin', 'best/b.bin', 'checkpoint-2/a.bin', 'checkpoint-2/b.bin'];
    const last = ['val_predictions.jsonl', 'events.out.tfevents.1767225600.lorikeet'];
    expect(await paths()).toEqual([...common, ...last]);
    await writer.writeDirectory('resume', 3, file('three'));
    expect(await paths()).toEqual([...common, 'checkpoint-3/a.bin', 'checkpoint-3/b.bin', ...last]);
    const files = await readRunFiles('files');
    const content = (path: string) => files.find((candidate) => candidate.path === path)!.file.text();
    expect(await content('val_predictions.jsonl')).toBe('{"step":1}\n{"step":2}\n');
    expect(JSON.parse(await content('training_log.json'))).toEqual(await readLog('files'));
    const settings: unknown = JSON.parse(await content('sft_config.json'));
    expect(settings).not.toHaveProperty('num_generations');
    expect(parseTrainingConfig(settings)).toEqual(toyConfig());
  });
});
