import { describe, expect, it } from 'vitest';
import { isWhole, newAxis, readDraft } from '../../../src/app/sweep/draft.ts';
import type { Draft } from '../../../src/app/sweep/draft.ts';
import { bestRow, directionIn, metricsIn, plotAxis, resultRows } from '../../../src/app/sweep/results.ts';
import { parseTrainingConfig } from '../../../src/protocol/config.ts';
import type { RunSummary } from '../../../src/protocol/messages.ts';
import type { SweepRecord } from '../../../src/storage/sweeps.ts';

const draft = (change: Partial<Draft>): Draft => ({ name: ' s ', search: 'grid', seed: '1', maxRuns: '5', axes: [], ...change });

describe('the form of a sweep', () => {
  it('reads numbers, switches and choices, also with Chinese commas', () => {
    const axes = [
      { ...newAxis('learning_rate', 1e-3), values: '1e-4，2e-4, 0.001' },
      { ...newAxis('use_rslora', false) },
      { ...newAxis('lr_scheduler_type', 'linear'), values: 'linear, cosine' },
      { ...newAxis('r', 16), kind: 'range' as const, from: '4', to: '64', points: '3', scale: 'log' as const },
    ];
    expect(readDraft(draft({ axes }))).toEqual({
      name: 's', search: 'grid', seed: 1, maxRuns: 5,
      axes: [
        { key: 'learning_rate', kind: 'list', values: [1e-4, 2e-4, 1e-3] },
        { key: 'use_rslora', kind: 'list', values: [true, false] },
        { key: 'lr_scheduler_type', kind: 'list', values: ['linear', 'cosine'] },
        { key: 'r', kind: 'range', from: 4, to: 64, scale: 'log', whole: true, points: 3 },
      ],
    });
  });

  it.each<[string, Partial<Draft>, string | undefined]>([
    ['a word for a number', { axes: [{ ...newAxis('r', 16), values: '8, many' }] }, 'r'],
    ['a word for a switch', { axes: [{ ...newAxis('use_rslora', true), values: 'maybe' }] }, 'use_rslora'],
    ['an empty bound', { axes: [{ ...newAxis('r', 16), kind: 'range', from: '' }] }, 'r'],
    ['no number of runs', { maxRuns: 'all' }, undefined],
  ])('refuses %s', (_what, change, field) => {
    expect(() => readDraft(draft(change))).toThrow(expect.objectContaining({ code: 'config', place: field === undefined ? {} : { field } }));
  });

  it('knows from the schema which settings are whole numbers', () => {
    expect([isWhole('r'), isWhole('max_steps'), isWhole('learning_rate'), isWhole('use_rslora')]).toEqual([true, true, false, false]);
  });
});

const run = (id: string, eval_f1: number | null, lastLoss: number | null): RunSummary => ({
  id, name: id, method: 'sft', status: 'finished', createdAt: '', updatedAt: '', step: 1, totalSteps: 1, modelName: '', lastLoss,
  bestMetric: eval_f1 === null ? null : { step: 1, epoch: 1, metric: 'eval_f1', value: eval_f1, path: 'best' },
  resumable: false, config: parseTrainingConfig({ metric_for_best_model: 'eval_f1', greater_is_better: true }), finalMetrics: { eval_f1: 0.1, eval_loss: 1, train_runtime: 3, note: 'x' }, tags: [], notes: '',
});
const sweep: SweepRecord = {
  id: 'sweep-1', createdAt: '', base: parseTrainingConfig({}), model: null, dataset: 'demo', adapter: null, state: 'finished',
  definition: { name: 's', search: 'grid', seed: 1, maxRuns: 4, axes: [{ key: 'r', kind: 'list', values: [1, 2, 3, 4] }] },
  runs: [['a', 'done'], ['b', 'done'], [null, 'waiting'], ['gone', 'failed']].map(([runId, state], i) => ({ settings: { r: i + 1 }, runId, state: state as 'done', error: null })),
};

describe('the results of a sweep', () => {
  const rows = resultRows(sweep, [run('a', 0.5, 0.2), run('b', 0.7, null)], false);

  it('keep the planned order and show the best value under the run’s own metric', () => {
    expect(rows.map(({ number, run: stored }) => [number, stored?.id ?? null])).toEqual([[1, 'a'], [2, 'b'], [3, null], [4, null]]);
    expect(rows[0].metrics).toMatchObject({ eval_f1: 0.5, eval_loss: 1, loss: 0.2 });
    expect(rows[1].metrics).not.toHaveProperty('loss');
    expect(metricsIn(rows)[0]).toBe('eval_f1');
  });

  it('mark the best by the direction of the metric', () => {
    expect(directionIn(rows, 'eval_f1')).toBe('higher');
    expect(bestRow(rows, 'eval_f1')?.number).toBe(2);
    expect(bestRow(rows, 'loss')?.number).toBe(1);
    expect(bestRow(rows, 'nothing')).toBeNull();
  });
});

describe('an axis of the plot', () => {
  it('spreads numbers by size, wide positive ranges by powers of ten, words one after the other', () => {
    expect([8, 12, 16].map(plotAxis('r', [8, 16]).place)).toEqual([0, 0.5, 1]);
    expect(plotAxis('learning_rate', [1e-5, 1e-3]).place(1e-4)).toBeCloseTo(0.5, 12);
    const words = plotAxis('lr', ['linear', 'cosine', 'linear']);
    expect(words.ticks).toEqual([{ at: 0, value: 'linear' }, { at: 1, value: 'cosine' }]);
    expect([words.place('cosine'), words.place('other'), words.place(undefined)]).toEqual([1, null, null]);
    expect(plotAxis('r', [8, 8]).place(8)).toBe(0.5);
    expect(plotAxis('r', []).ticks).toEqual([]);
  });
});
