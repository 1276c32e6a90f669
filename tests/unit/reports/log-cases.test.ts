/** Logs of the kind that people bring, and what is right for each. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readLog } from '../../../src/reports/read-log.ts';
import { bestOf } from '../../../src/reports/metrics.ts';

const read = (path: string) => readLog(readFileSync(new URL(`../../fixtures/cases/22-logs/${path}`, import.meta.url), 'utf8'), path);

describe('logs', () => {
  it('with two evaluation sets in one step: the recorded best is that of its own set', () => {
    const [run] = read('multi-eval-sets/trainer_state.json');
    expect(bestOf(run)).toMatchObject({ metric: 'eval_lids_loss', value: 1.1, step: 10 });
  });

  it.each([
    ['train_loss', 'train', [[10, 1.9], [20, 1.5], [30, 1.2]]],
    ['eval_loss', 'validation', [[20, 1.7], [30, 1.4]]],
  ] as const)('of TensorBoard hold the curve that their name says: %s', (tag, part, expected) => {
    const [run] = read(`tensorboard/run-.-tag-${tag}.csv`);
    expect(run[part].map((row) => [row.step, row[part === 'train' ? 'loss' : 'eval_loss']])).toEqual(expected);
    expect(run[part === 'train' ? 'validation' : 'train']).toEqual([]);
  });

  it('of a console, a dictionary a line: rows are counted, and that is said', () => {
    const [run] = read('console-dicts-jsonl/loss.jsonl');
    expect(run.train.map(({ step, loss, epoch }) => [step, loss, epoch])).toEqual([[1, 13.6275, 0], [2, 12.5931, 0.01]]);
    expect(run.validation.map(({ step, eval_loss: loss }) => [step, loss])).toEqual([[2, 11.2]]);
    expect(run.finalMetrics).toMatchObject({ train_loss: 12.1 });
    expect(run.notes.map(({ message }) => message)).toContain('The rows name no step: they are counted, as they were logged');
  });

  it('of a console hold what Python writes: None, nan, quotation marks', () => {
    const [run] = readLog("{'loss': nan, 'note': \"it's\", 'x': None}\n{'loss': 1.5, 'ok': True}\n", 'a.log');
    expect(run.train.map(({ step, note, loss }) => [step, note, loss])).toEqual([[1, "it's", null], [2, undefined, 1.5]]);
  });
});
