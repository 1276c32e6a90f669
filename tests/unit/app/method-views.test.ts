import { describe, expect, it } from 'vitest';
import { chartsOf, rewardTerms } from '../../../src/app/charts/method-charts.ts';
import { metricName } from '../../../src/app/runs/metric-names.ts';
import { bestRow, isBetter, NUMBERS, summaryMetrics } from '../../../src/app/runs/method-numbers.ts';
import { readMix, readWeight, writeMix } from '../../../src/app/settings/loss-mix.ts';
import { layerSettings } from '../../../src/app/settings/layers.ts';
import { methodFacts, promptsPerStep } from '../../../src/app/train/method-facts.ts';
import { en } from '../../../src/app/texts/en.ts';
import { zh } from '../../../src/app/texts/zh.ts';
import { METHODS, parseTrainingConfig } from '../../../src/protocol/config.ts';
import { presetSettings } from '../../../src/protocol/presets.ts';

const GRPO_ROW = ['loss', 'reward', 'rewards/format/mean', 'rewards/format/std', 'rewards/my_own/mean', 'kl'];

describe('charts of a method', () => {
  it('have a title and a name of their own', () => {
    for (const method of METHODS) {
      const charts = chartsOf(method, GRPO_ROW);
      expect(new Set(charts.map(({ id }) => id)).size).toBe(charts.length);
      for (const { title } of charts) for (const { methods } of [en, zh]) expect(methods.charts.titles[title]).toBeTruthy();
    }
  });

  it('give every line of a chart a colour of its own, up to six reward terms', () => {
    const terms = Array.from({ length: 6 }, (_, i) => `rewards/term${i}/mean`);
    for (const method of METHODS) {
      for (const { id, lines } of chartsOf(method, terms)) expect(new Set(lines.map(({ color }) => color)).size, id).toBe(lines.length);
    }
  });

  it('draw the reward terms that the log has, in its order', () => {
    expect(rewardTerms(GRPO_ROW)).toEqual(['format', 'my_own']);
    const terms = chartsOf('grpo', GRPO_ROW).find(({ id }) => id === 'terms');
    expect(terms?.lines.map(({ metric }) => metric)).toEqual(['rewards/format/mean', 'rewards/my_own/mean']);
  });

  it('look for the validation reward under the name that each kind of GRPO logs', () => {
    const valReward = (method: 'grpo' | 'grpo-trl') => chartsOf(method, []).find(({ id }) => id === 'reward')?.lines[1].metric;
    expect(valReward('grpo')).toBe('val_reward');
    expect(valReward('grpo-trl')).toBe('eval_reward');
  });
});

describe('numbers of a method', () => {
  it('are five', () => {
    for (const method of METHODS) expect(NUMBERS[method]).toHaveLength(5);
  });

  it('find the first best row in either direction and pass over rows without the metric', () => {
    const rows = [{ step: 1 }, { step: 2, a: 3 }, { step: 3, a: 5 }, { step: 4, a: 5 }, { step: 5, a: NaN }];
    expect(bestRow(rows, 'a', 'highest')?.step).toBe(3);
    expect(bestRow(rows, 'a', 'lowest')?.step).toBe(2);
    expect(bestRow(rows, 'b', 'lowest')).toBeUndefined();
  });

  it('name the reward terms of a validation in the table before and after', () => {
    expect(summaryMetrics('grpo', { step: 1, val_reward: 1, val_bbox: 2, eval_f1: 1 }).slice(0, 2)).toEqual(['val_reward', 'val_bbox']);
    expect(summaryMetrics('grpo-trl', { step: 1, eval_reward: 1, 'eval_rewards/bbox_iou/mean': 2 }).slice(0, 2)).toEqual(['eval_reward', 'eval_rewards/bbox_iou/mean']);
    expect(summaryMetrics('dpo', { step: 1 })).toEqual(['val_loss', 'val_accuracy', 'val_reward_margin']);
  });

  it('know that losses should fall and the rest should rise', () => {
    expect(isBetter('val_loss', -1)).toBe(true);
    expect(isBetter('val_reward', -1)).toBe(false);
  });

  it('say reward terms in words, and own rewards by their name', () => {
    expect(metricName('val_bbox', en)).toBe('reward: box');
    expect(metricName('eval_rewards/set_f1/mean', en)).toBe('reward: set F1');
    expect(metricName('val_short_answer', zh)).toBe('奖励：short_answer');
    expect(metricName('eval_loss', en)).toBe('validation loss');
  });
});

describe('a mix of losses', () => {
  it('survives reading and writing', () => {
    const mixed = { loss_type: ['sigmoid', 'sft'], loss_weights: [0.8, 1] };
    expect(writeMix(readMix(mixed.loss_type, mixed.loss_weights))).toEqual(mixed);
    expect(writeMix(readMix('ipo', null))).toEqual({ loss_type: 'ipo', loss_weights: null });
    expect(writeMix(readMix(['sigmoid', 'sft'], null))).toEqual({ loss_type: ['sigmoid', 'sft'], loss_weights: null });
  });

  it('keeps a weight that is no number, so that the settings refuse it', () => {
    const { loss_type, loss_weights } = writeMix([{ name: 'sigmoid', weight: readWeight('much') }, { name: 'sft', weight: readWeight('') }]);
    expect(loss_weights).toEqual(['much', 1]);
    expect(layerSettings({ preset: 'lorikeet', method: 'dpo' }, { loss_type, loss_weights }).config).toBeNull();
  });
});

describe('facts of a method', () => {
  it('count prompts as the trainer does', () => {
    const prompts = (method: 'grpo' | 'grpo-trl', more: object) => promptsPerStep(parseTrainingConfig({ method, ...more }));
    expect(prompts('grpo', { per_device_train_batch_size: 2, gradient_accumulation_steps: 4, num_generations: 8 })).toBe(8);
    expect(prompts('grpo-trl', { per_device_train_batch_size: 8, gradient_accumulation_steps: 2, num_generations: 8 })).toBe(2);
  });

  it('show a mixed loss with its weights and own rewards by name', () => {
    const dpo = parseTrainingConfig({ method: 'dpo', loss_type: ['sigmoid', 'sft'], loss_weights: [1, 0.2] });
    expect(methodFacts(dpo, en)[0].value).toBe('sigmoid + 0.2 sft');
    const grpo = parseTrainingConfig({ method: 'grpo', reward_scheme: 'none', custom_rewards: [{ name: 'short', source: 'x' }] });
    expect(methodFacts(grpo, en)[0].value).toBe('short');
  });

  it('are at most eight for every method and preset', () => {
    for (const method of METHODS) {
      for (const preset of ['lorikeet', 'original', 'demo'] as const) expect(methodFacts(parseTrainingConfig(presetSettings(preset, method)), zh).length).toBeLessThanOrEqual(8);
    }
  });
});
