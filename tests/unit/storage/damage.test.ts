import { beforeEach, describe, expect, it } from 'vitest';
import { zipFiles } from '../../../src/checkpoint/zip.ts';
import type { TrainRow } from '../../../src/protocol/log.ts';
import { checkLibrary } from '../../../src/storage/check-library.ts';
import { commit, readKeys, type RecordKey } from '../../../src/storage/database.ts';
import type { ImportedHead } from '../../../src/imports/imported-head.ts';
import { listImported } from '../../../src/storage/imported-logs.ts';
import { packRun } from '../../../src/reports/packed-run.ts';
import type { RunLog } from '../../../src/reports/run-log.ts';
import { readRunFiles } from '../../../src/storage/export-run.ts';
import { keyOf, rangeOf } from '../../../src/storage/records.ts';
import { RunWriter } from '../../../src/storage/run-writer.ts';
import { deleteRun, emptyBin, listAdapters, listRuns, readLog, renameRun } from '../../../src/storage/runs.ts';
import { toyConfig, toyRecord } from '../training/toy-run.ts';
import { pretendBrowser } from './pretend-browser.ts';

beforeEach(async () => {
  pretendBrowser();
  for (const { id } of await listRuns()) await deleteRun(id);
  await emptyBin(-1);
});

const row = (step: number): TrainRow => ({
  step, epoch: step / 10, loss: 1 / step, learning_rate: 1e-4, grad_norm: 1, tokens_per_second: 1, step_time_ms: 1, gpu_memory_mb: 1,
  num_tokens: step, samples: step, elapsed_s: step, time: '2026-01-01T00:00:00.000Z',
});
const adapter = new Map([['adapter_config.json', new TextEncoder().encode('{}')], ['adapter_model.safetensors', new Uint8Array(64)]]);

/** A run of five steps, a record of the log each, with its best adapter. */
async function stored(id: string): Promise<void> {
  const writer = await RunWriter.create(toyRecord(id, toyConfig()));
  for (let step = 1; step <= 5; step++) {
    writer.append([{ kind: 'train', row: row(step) }], { status: 'finished', step });
    await writer.flush();
  }
  await writer.writeDirectory('best', 5, adapter);
}

const steps = async (id: string) => (await readLog(id)).train_history.map(({ step }) => step);
const RUBBISH: unknown[] = [undefined, null, 42, 'rubbish', [], { config: 7 }, { id: 'other', name: 3 }, new Map(), { status: 'finished', step: -1 }];

describe('a library with damaged records', () => {
  it.each(RUBBISH.map((value) => [JSON.stringify(value) ?? 'nothing', value]))('lists a run whose record is %s as damaged, with its log and its adapter', async (_name, value) => {
    await stored('good');
    await stored('bad');
    await commit(value === undefined ? { remove: [keyOf.run('bad')] } : { put: [[keyOf.run('bad'), value]] });
    const runs = await listRuns();
    expect(runs.map(({ id, damaged }) => [id, damaged]).sort()).toEqual([['bad', ['record']], ['good', undefined]]);
    expect(await steps('bad')).toEqual([1, 2, 3, 4, 5]);
    expect(await listAdapters('bad')).toEqual([{ directory: 'best', step: 5 }]);
    const files = await readRunFiles('bad');
    expect(files.map(({ path }) => path)).toContain('best/adapter_model.safetensors');
    expect((await zipFiles(files.map(({ path, file }) => ({ path, data: file })))).size).toBeGreaterThan(0);
    await renameRun('bad', 'Saved');
    expect((await listRuns()).find(({ id }) => id === 'bad')).toMatchObject({ name: 'Saved' });
  });

  it.each(RUBBISH.map((value) => [JSON.stringify(value) ?? 'nothing', value]))('lists a run whose progress is %s as damaged, and finds its adapter again when it is checked', async (_name, value) => {
    await stored('bad');
    await commit(value === undefined ? { remove: [keyOf.head('bad')] } : { put: [[keyOf.head('bad'), value]] });
    expect(await steps('bad')).toEqual([1, 2, 3, 4, 5]);
    if (value !== undefined) expect(await listRuns()).toMatchObject([{ id: 'bad', damaged: ['progress'], resumable: false }]);
    const { findings } = await checkLibrary();
    expect(findings).toMatchObject([{ id: 'bad', damaged: ['progress'], repaired: true, files: [] }]);
    expect((await listRuns())[0]).toMatchObject({ id: 'bad', step: 5 });
    expect((await listRuns())[0].damaged).toBeUndefined();
    expect(await listAdapters('bad')).toEqual([{ directory: 'checkpoint-5', step: 5 }]);
  });

  it('is emptied and counted without falling over any of them', async () => {
    for (const [i, value] of RUBBISH.entries()) {
      await stored(`run-${i}`);
      if (value !== undefined) await commit({ put: [[keyOf.run(`run-${i}`), value]] });
    }
    await deleteRun('run-0');
    expect(await emptyBin(-1)).toEqual(['run-0']);
    expect(await listRuns()).toHaveLength(RUBBISH.length - 1);
  });
});

describe('a log with lost rows', () => {
  const key = async (id: string, at: number) => (await readKeys(rangeOf.rows(id))).at(at)!;

  it.each([
    ['the first record', 0, [2, 3, 4, 5], { after: '–', before: '2' }],
    ['one in the middle', 2, [1, 2, 4, 5], { after: '2', before: '4' }],
    ['the last record', 4, [1, 2, 3, 4], { after: '4', before: '–' }],
  ])('says that %s is gone, and what it stood between', async (_name, at, left, values) => {
    await stored('holes');
    await commit({ remove: [await key('holes', at)] });
    expect(await steps('holes')).toEqual(left);
    expect((await readLog('holes')).notices).toMatchObject([{ key: 'logGap', values }]);
    expect((await checkLibrary()).findings).toMatchObject([{ id: 'holes', damaged: ['log'] }]);
  });

  it.each([[null], [7], ['rubbish'], [{}], [[{ kind: 'train' }]], [[null]], [[{ kind: 'train', row: { step: 'two' } }]]])('passes over a record that holds %j', async (value) => {
    await stored('rubbish');
    await commit({ put: [[await key('rubbish', 2), value]] });
    expect(await steps('rubbish')).toEqual([1, 2, 4, 5]);
    expect((await readLog('rubbish')).notices).toMatchObject([{ key: 'logGap', values: { after: '2', before: '4' } }]);
  });

  it('is opened for resuming with a notice that stays, said once', async () => {
    await stored('resumed');
    await commit({ put: [[await key('resumed', 2), 'rubbish']] });
    for (let i = 0; i < 2; i++) {
      const writer = await RunWriter.open('resumed');
      expect(writer.log().train_history.map(({ step }) => step)).toEqual([1, 2, 4, 5]);
      expect(writer.log().notices.map(({ key: said }) => said)).toEqual(['logGap']);
    }
    expect((await readLog('resumed')).notices).toHaveLength(1);
  });

  it('is not said of a whole log, compacted, cut or taken up again', async () => {
    await stored('whole');
    const writer = await RunWriter.open('whole');
    await writer.truncateLog(3);
    writer.append([{ kind: 'train', row: row(4) }], { step: 4 });
    await writer.compact();
    await writer.writeDirectory('final', 4, adapter, { entries: [{ kind: 'train', row: row(5) }] });
    expect(await steps('whole')).toEqual([1, 2, 3, 4, 5]);
    expect((await readLog('whole')).notices).toEqual([]);
    expect((await checkLibrary()).findings).toEqual([]);
  });
});

describe('a check of the library', () => {
  it('names files that are not what was written, and those that are gone', async () => {
    await stored('files');
    const [first, second] = await readKeys(rangeOf.files('files'));
    await commit({ put: [[first, new Blob(['[]'])]], remove: [second] });
    const { runs, files, findings } = await checkLibrary();
    expect({ runs, files }).toEqual({ runs: 1, files: 2 });
    expect(findings).toMatchObject([{ damaged: ['files'], files: ['best/adapter_config.json', 'best/adapter_model.safetensors'], repaired: false }]);
  });
});

describe('sweeps and opened logs that are damaged', () => {
  it('are said by the check, though no list shows them', async () => {
    const head = { id: 'log-b', name: 'b.json', importedAt: '2026-01-01T00:00:00.000Z', deletedAt: null } as ImportedHead;
    const run = packRun({ id: 'b', train: [], validation: [] } as unknown as RunLog);
    const sweep = { id: 'sweep-b', runs: [], definition: {}, base: {}, createdAt: '' };
    const keys = ['a', 'b', 'c', 'd'].flatMap((name): RecordKey[] => [['imported', `log-${name}`], ['imported-run', `log-${name}`], ['sweep', `sweep-${name}`]]);
    await commit({
      put: [
        [['imported', 'log-a'], 'rubbish'], [['imported-run', 'log-a'], run],
        [['imported', 'log-b'], head], [['imported-run', 'log-b'], run],
        [['imported', 'log-c'], { ...head, id: 'log-c', name: 'c.json' }],
        [['imported-run', 'log-d'], run],
        [['sweep', 'sweep-a'], 7], [['sweep', 'sweep-b'], sweep],
      ],
    });
    const { sweeps, logs, findings } = await checkLibrary();
    expect({ sweeps, logs: logs.sort(), findings }).toEqual({ sweeps: ['sweep-a'], logs: ['c.json', 'log-a', 'log-d'], findings: [] });
    expect((await listImported()).map(({ id }) => id).sort()).toEqual(['log-b', 'log-c']);
    await commit({ remove: keys });
  });
});

describe('a log of 150,000 rows', () => {
  it('is cut, packed and taken up again', async () => {
    const writer = await RunWriter.create(toyRecord('long', toyConfig()));
    writer.append(Array.from({ length: 150_000 }, (_, i) => ({ kind: 'train' as const, row: row(i + 1) })));
    await writer.compact();
    await writer.truncateLog(140_000);
    expect((await RunWriter.open('long')).log().train_history).toHaveLength(140_000);
  }, 60_000);
});
