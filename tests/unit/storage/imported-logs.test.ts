import { beforeEach, describe, expect, it } from 'vitest';
import { packRun } from '../../../src/reports/packed-run.ts';
import { binImported, emptyImportedBin, isImportedId, listImported, readImported, readImportedPredictions, renameImported, saveImported } from '../../../src/storage/imported-logs.ts';
import type { ImportedHead } from '../../../src/imports/imported-head.ts';
import { listRuns } from '../../../src/storage/runs.ts';
import { readRun } from '../reports/logs.ts';
import { pretendBrowser } from './pretend-browser.ts';

beforeEach(() => void pretendBrowser());

const run = packRun(readRun('original-sft/training_log.json'));
const head = (id: string): ImportedHead => ({
  id, name: id, source: id, dialect: 'original-sft', importedAt: '2026-01-01T00:00:00.000Z', bytes: 9, trainRows: 4, validationRows: 2, lastStep: 40, lastLoss: 0.88, best: null,
  warnings: 0, hasAnswers: false, deletedAt: null,
});

describe('an opened log', () => {
  it('is kept beside the runs, with its answers', async () => {
    await saveImported(head('log-1'), run, 'lines');
    expect((await listImported()).map(({ id }) => id)).toEqual(['log-1']);
    expect((await readImported('log-1')).train.columns.map(({ name }) => name)).toEqual(['epoch', 'loss', 'learning_rate']);
    expect(await readImportedPredictions('log-1')).toBe('lines');
    expect(await listRuns()).toEqual([]);
    expect([isImportedId('log-1'), isImportedId('run-1')]).toEqual([true, false]);
  });

  it('can be renamed, deleted, taken back and forgotten', async () => {
    await saveImported(head('log-1'), run, null);
    await renameImported('log-1', 'mine');
    await binImported('log-1', true);
    expect(await listImported()).toEqual([]);
    await emptyImportedBin(60_000);
    await binImported('log-1', false);
    expect((await listImported())[0].name).toBe('mine');
    await binImported('log-1', true);
    await emptyImportedBin(-1);
    await expect(readImported('log-1')).rejects.toMatchObject({ code: 'file-missing' });
  });
});
