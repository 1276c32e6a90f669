import { describe, expect, it } from 'vitest';
import { logOfRecord } from '../../../src/app/analysis/record-log.ts';
import { RunRecord } from '../../../src/app/state/run-record.svelte.ts';
import type { TrainRow, ValRow } from '../../../src/protocol/log.ts';

const train = (step: number, loss = step) => ({ step, loss }) as TrainRow;
const val = (step: number, loss: number) => ({ step, eval_loss: loss }) as ValRow;

describe('RunRecord', () => {
  it('keeps rows in order and counts each change once', () => {
    const run = new RunRecord('a', 'A');
    run.append([train(1), train(2)], [val(0, 7)]);
    run.append([], []);
    expect(run.version).toBe(1);
    expect(run.trainRows.map(({ step }) => step)).toEqual([1, 2]);
    expect(run.lastTrain?.step).toBe(2);
    expect(run.firstVal?.step).toBe(0);
  });

  it('forgets what a resumed run computes again', () => {
    const run = new RunRecord('a', 'A');
    run.append([1, 2, 3, 4, 5].map((step) => train(step)), [val(0, 7), val(4, 3)]);
    run.append([train(3, 99)], []);
    expect(run.trainRows.map(({ step, loss }) => [step, loss])).toEqual([[1, 1], [2, 2], [3, 99]]);
  });

  it('knows its last validation and which states are active', () => {
    const run = new RunRecord('a', 'A');
    run.append([], [val(0, 7), val(20, 0.3), val(40, 0.4)]);
    expect(run.lastVal?.step).toBe(40);
    for (const status of ['preparing', 'running', 'validating', 'paused'] as const) {
      run.status = status;
      expect(run.active).toBe(true);
    }
    for (const status of ['stopped', 'finished', 'failed', 'interrupted'] as const) {
      run.status = status;
      expect(run.active).toBe(false);
    }
  });

  it('takes its notices along into a report', () => {
    const run = new RunRecord('a', 'A');
    run.append([train(1)], []);
    run.notices = [{ step: 1, level: 'warning', message: 'The disk was full.', time: '2026-01-01T00:00:00Z' }];
    expect(JSON.stringify(logOfRecord(run).notes)).toContain('The disk was full.');
  });
});
