import { describe, expect, it } from 'vitest';
import { minMaxBins } from '../../../src/reports/bins.ts';
import { compareRuns, distinctNames, nameRuns } from '../../../src/reports/compare.ts';
import { comparisonCsv, formatComparison } from '../../../src/reports/comparison-text.ts';
import { historyCsv } from '../../../src/reports/history-csv.ts';
import { baseName, bestOf, directionOf, metricNames, seriesOf } from '../../../src/reports/metrics.ts';
import { linearTicks, suitsLog, tickLabel, valueScale } from '../../../src/reports/scale.ts';
import { metricStatistics } from '../../../src/reports/statistics.ts';
import { formatStatistics, formatSummary, summarise } from '../../../src/reports/summary.ts';
import { alignColumns, displayWidth, formatNumber, formatSetting, printable, shorten } from '../../../src/reports/text.ts';
import type { LogRow } from '../../../src/reports/run-log.ts';
import { makeRun, readRun } from './logs.ts';

describe('metrics', () => {
  it.each([
    ['loss', 'lower'], ['eval_loss', 'lower'], ['kl', 'lower'], ['eval_runtime', 'lower'], ['reward', 'higher'], ['val_accuracy', 'higher'], ['rewards/accuracies', 'higher'],
    ['eval_bbox_iou50', 'higher'], ['eval_f1', 'higher'], ['val_reward_margin', 'higher'], ['token_acc', 'higher'], ['reward_std', 'unknown'], ['frac_reward_zero_std', 'unknown'],
    ['learning_rate', 'unknown'], ['grad_norm', 'unknown'], ['rewards/rejected', 'unknown'], ['clip_ratio', 'unknown'], ['hallucination_rate', 'lower'], ['__proto__', 'unknown'], ['x', 'unknown'],
  ])('%s: %s', (metric, direction) => expect(directionOf(metric)).toBe(direction));

  it('lets the run\'s own setting decide', () => {
    expect(directionOf('eval_x', { config: { metric_for_best_model: 'eval_x', greater_is_better: true } })).toBe('higher');
    expect(directionOf('eval_x', { config: { metric_for_best_model: 'x', greater_is_better: false } })).toBe('lower');
  });

  it('pairs validation with training', () => {
    expect(['eval_loss', 'val_loss', 'eval/loss', 'train/loss', 'loss'].map(baseName)).toEqual(['loss', 'loss', 'loss', 'loss', 'loss']);
  });

  it('finds metrics of any row, gaps too, and no positions or texts', () => {
    const rows: LogRow[] = [{ step: 1, epoch: 1, a: 1, time: 'x' }, { step: 2, b: null, label: 'text' }];
    expect(metricNames(rows)).toEqual(['a', 'b']);
  });

  it('sorts a series by step and keeps gaps', () => {
    expect(seriesOf([{ step: 5, a: 1 }, { step: 3, a: null }, { step: 4 }, { step: 1, a: 2 }], 'a')).toEqual({ steps: [1, 3, 5], values: [2, null, 1] });
  });

  it('lets the first of equal validations win', () => {
    const run = makeRun('r', [], [{ step: 1, eval_loss: 2 }, { step: 2, eval_loss: 1 }, { step: 3, eval_loss: 1 }]);
    expect(bestOf(run)).toMatchObject({ step: 2, value: 1 });
  });
});

describe('statistics', () => {
  it('agrees with the textbook', () => {
    const rows = [2, 4, 4, 4, 5, 5, 7, 9].map((loss, i) => ({ step: 10 * (i + 1), loss }));
    const found = metricStatistics([...rows, { step: 90, loss: null }], 'loss', 'train')!;
    expect(found).toMatchObject({ count: 8, gaps: 1, mean: 5, min: { value: 2, step: 10 }, max: { value: 9, step: 80 }, last: { value: 9, step: 80 }, best: { value: 2, step: 10 } });
    expect(found.variance).toBeCloseTo(32 / 7, 12);
    expect(found.slope).toBeCloseTo(34 / 420, 12);
  });

  it('loses no digits far from zero', () => {
    const rows = [1, 2, 3].map((part, i) => ({ step: i, x: 1e9 + part }));
    expect(metricStatistics(rows, 'x', 'train')).toMatchObject({ variance: 1, slope: 1 });
  });

  it('says when the direction is unknown, and has no slope for one step', () => {
    expect(metricStatistics([{ step: 1, entropy: 3 }], 'entropy', 'train')).toMatchObject({ direction: 'unknown', best: null, slope: null, variance: 0 });
    expect(formatStatistics(makeRun('r', [{ step: 1, entropy: 3 }]))).toContain('direction unknown');
  });
});

describe('summary', () => {
  it('of the synthetic GRPO log, line by line', () => {
    const lines = formatSummary({ ...readRun('synthetic-grpo/training_log.json'), name: 'synthetic' }).split('\n');
    expect(lines.slice(1, -1)).toEqual([
      'Training Summary', '='.repeat(80), 'Run: synthetic', 'Log: training_log.json of the GRPO script', '', 'Configuration:', '  Model: test_model', '  Output: test_output', '  Epochs: 1',
      '  Batch Size: 1', '  Learning Rate: 1.00e-05', '  Gradient Accumulation: 4', '', 'Training History: 3 entries', '  Final Step: 30', '  Final Epoch: 1', '  Final loss: 0.6000',
      '  Final reward: 2.4000', '  Final kl: 0.0300', '  Final lr: 1.00e-05', '', 'Validation History: 1 entries', '  Final Val Step: 30', '  val_reward: 2.3000', '  val_format: 0.9000',
      '  val_bbox: 0.6000', '  val_category: 0.5000', '  val_completeness: 0.3000', '', 'Best Checkpoint:', '  Step: 30', '  Epoch: 1', '  val_reward: 2.3000', '  val_format: 0.9000',
      '  val_bbox: 0.6000', '  val_category: 0.5000', '  val_completeness: 0.3000', '  Path: test_output/best',
    ]);
  });

  it('knows duration, tokens and device', () => {
    expect(summarise(readRun('lorikeet/training_log.json'))).toMatchObject({ tokens: 2221, device: 'google swiftshader', finalStep: 3 });
    expect(summarise(readRun('hf/checkpoint-300/trainer_state.json')).duration).toBe(845.2);
    expect(summarise(readRun('wandb-history.csv')).duration).toBeCloseTo(9.6, 9);
  });

  it('never prints a small number as zero, nor a zero as small', () => {
    expect([2e-5, 0, 0.5, -3e-4, 1234.5, 5e8, NaN].map(formatNumber)).toEqual(['2.00e-05', '0', '0.5000', '-3.00e-04', '1234.5000', '5.00e+08', '-']);
    expect([2e-5, 1e-8, 0.1, 'x', [1], undefined].map(formatSetting)).toEqual(['2e-05', '1e-08', '0.1', 'x', '[1]', '-']);
  });

  it('makes terminal codes visible', () => {
    expect(printable('loss\u001b[31m\n\u202e')).toBe('loss\\u001b[31m\\u000a\\u202e');
    expect(formatSummary(readRun('hostile.json'))).not.toContain('\u001b');
  });
});

describe('comparison', () => {
  const sft = (name: string, rate: number, losses: number[]) =>
    makeRun(name, losses.map((loss, i) => ({ step: i + 1, loss, grad_norm: 1 + i })), [{ step: 1, eval_loss: losses[0] }, { step: 3, eval_loss: losses[2] }], { learning_rate: rate, seed: 42, lora: { r: 16 } });
  const comparison = compareRuns([sft('slow', 1e-5, [3, 2.5, 2.4]), sft('fast', 2e-5, [3, 1.5, 1.75])]);

  it('finds the settings that differ, nested ones too', () => {
    expect(comparison.settings).toEqual([
      { setting: 'learning_rate', values: ['1e-05', '2e-05'], differs: true },
      { setting: 'lora.r', values: ['16', '16'], differs: false },
      { setting: 'seed', values: ['42', '42'], differs: false },
    ]);
  });

  it('marks the better run by the metric\'s direction, and none where it is unknown', () => {
    expect(comparison.finalTrain.map((row) => [row.metric, row.direction, row.winners])).toEqual([['loss', 'lower', [1]], ['grad_norm', 'unknown', []]]);
    expect(comparison.bestTrain[0].cells).toEqual([{ value: 2.4, step: 3 }, { value: 1.5, step: 2 }]);
    expect(comparison.best.map((best) => [best?.step, best?.value])).toEqual([[3, 2.4], [3, 1.75]]);
    expect(comparison.atBestStep.train[1].cells).toEqual([{ value: 3, step: 3 }, { value: 3, step: 3 }]);
  });

  it('prints differences only, or all settings', () => {
    const text = formatComparison(comparison);
    expect(text).toContain('Configuration (2 equal settings not shown)');
    expect(text).toMatch(/learning_rate +1e-05 +2e-05/);
    expect(text).not.toMatch(/^seed/m);
    expect(text).toMatch(/^loss +2\.4000 +1\.7500\*/m);
    expect(text).toContain('unknown which way is better: grad_norm');
    expect(formatComparison(comparison, true)).toMatch(/^seed +42 +42/m);
    expect(comparisonCsv(comparison)).toContain('final training,loss,lower,2.4,1.75,fast\n');
  });

  it('shows the step of a final value that is not the last row\'s', () => {
    const text = formatComparison(compareRuns([makeRun('a', [{ step: 1, loss: 1 }, { step: 2, loss: null }]), makeRun('b', [{ step: 2, loss: 3 }])]));
    expect(text).toMatch(/^loss +1\.0000 @1\* +3\.0000/m);
  });

  it('compares the same metric under the names of several programs', () => {
    const rows = compareRuns([readRun('llama-factory/trainer_log.jsonl'), readRun('hf/checkpoint-300/trainer_state.json')]).finalTrain;
    expect(rows.find((row) => row.metric === 'learning_rate')?.cells).toEqual([{ value: 0, step: 30 }, { value: 2.5e-5, step: 250 }]);
    expect(rows.find((row) => row.metric === 'loss')?.winners).toEqual([0]);
  });

  it('tells runs with equal folder names apart', () => {
    expect(distinctNames(['/a/x/run', '/a/y/run', '/b/other'])).toEqual(['x/run', 'y/run', 'other']);
    expect(distinctNames(['run', 'run', 'run (2)'])).toEqual(['run', 'run (3)', 'run (2)']);
    expect(nameRuns([makeRun('o/seed1/grpo', []), makeRun('o/seed2/grpo', [])]).map((run) => run.name)).toEqual(['seed1/grpo', 'seed2/grpo']);
  });
});

describe('tables, axes and bins', () => {
  it('unites the columns of all rows', () => {
    expect(historyCsv([{ step: 1, loss: 0.5 }, { step: 2, reward: 1, loss: null }])).toBe('step,loss,reward\n1,0.5,\n2,,1\n');
  });

  it('lines up Chinese text and shortens in the middle', () => {
    expect(displayWidth('损失 a')).toBe(6);
    expect(alignColumns([['损失', '1'], ['loss', '22']], 'lr')).toBe('损失   1\nloss  22');
    expect(shorten('abcdefghij', 7)).toBe('abc…hij');
    expect(shorten('short', 7)).toBe('short');
  });

  it('chooses a log axis for values over two powers of ten, never for learning rates', () => {
    expect(suitsLog('loss', [10, 0.05])).toBe(true);
    expect(suitsLog('loss', [7, 0.3])).toBe(false);
    expect(suitsLog('loss', [10, 0])).toBe(false);
    expect(suitsLog('learning_rate', [1e-3, 1e-7])).toBe(false);
  });

  it('finds round ticks', () => {
    expect(linearTicks(0, 1, 5)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    expect(valueScale([0.01, 10], true).ticks).toEqual([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10]);
    expect([0, 5e-4, 1e-3].map((tick) => tickLabel(tick, { ticks: [0, 5e-4, 1e-3], log: false }))).toEqual(['0', '0.0005', '0.0010']);
    expect([0, 2e-5].map((tick) => tickLabel(tick, { ticks: [0, 2e-5], log: false }))).toEqual(['0', '2e-5']);
    expect([20_000, 3e6].map((tick) => tickLabel(tick, { ticks: [0, 10_000, 20_000, 3e6], log: false }))).toEqual(['20k', '3e6']);
    expect(valueScale([54.79045, 54.79047], false)).toMatchObject({ low: expect.closeTo(49.3, 1), high: expect.closeTo(60.3, 1) });
    expect([0.02, 10].map((tick) => tickLabel(tick, { ticks: [0.02, 10], log: true }))).toEqual(['0.02', '10']);
    expect(valueScale([], false)).toMatchObject({ low: 0, high: 1 });
  });

  it('keeps every peak and gap of a long line', () => {
    const steps = Array.from({ length: 100_000 }, (_, i) => i);
    const values: (number | null)[] = steps.map((step) => Math.sin(step / 1000));
    values[54_321] = 99;
    values[12_345] = -99;
    values[77_777] = null;
    const kept = minMaxBins({ steps, values }, 300);
    expect(kept.steps.length).toBeLessThanOrEqual(1500);
    expect(kept.values).toContain(99);
    expect(kept.values).toContain(-99);
    expect(kept.values.filter((value) => value === null)).toHaveLength(1);
    expect(kept.steps).toEqual([...kept.steps].sort((a, b) => a - b));
    expect([kept.steps[0], kept.steps.at(-1)]).toEqual([0, 99_999]);
    const short = { steps: [1, 2], values: [1, null] };
    expect(minMaxBins(short, 300)).toBe(short);
  });
});
