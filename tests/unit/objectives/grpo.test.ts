import { describe, expect, it } from 'vitest';
import { groupAdvantages } from '../../../src/objectives/advantages.ts';
import { GRPO_LOSS_TYPES, grpoLoss, type GrpoLossType, type GrpoRow, type GrpoSettings } from '../../../src/objectives/grpo.ts';
import fixture from '../../fixtures/objectives/grpo.json' with { type: 'json' };

const { advantages } = groupAdvantages(fixture.rewards, fixture.num_generations, 'group');
const rowsOf = (onPolicy: boolean): GrpoRow[] =>
  fixture.policy_logps.map((logProbs, i) => ({
    logProbs,
    oldLogProbs: onPolicy ? null : fixture.old_logps[i],
    refLogProbs: fixture.ref_logps[i],
    advantage: advantages[i],
    masked: false,
  }));
const settingsOf = (lossType: GrpoLossType, beta: number, more: Partial<GrpoSettings> = {}): GrpoSettings => ({
  lossType,
  beta,
  epsilon: fixture.epsilon,
  epsilonHigh: fixture.epsilon,
  delta: null,
  importanceSamplingLevel: 'token',
  maxCompletionLength: fixture.max_completion_length,
  ...more,
});
const tokens = fixture.policy_logps.reduce((sum, row) => sum + row.length, 0);
const normalizer = { rows: fixture.policy_logps.length, completionTokens: tokens, microBatches: 1 };

describe('groupAdvantages', () => {
  it.each(['group', 'batch', 'none'] as const)('scaled by %s equal the reference', (scale) => {
    groupAdvantages(fixture.rewards, 4, scale).advantages.forEach((value, i) => expect(value).toBeCloseTo(fixture.advantages[scale][i], 5));
  });

  it('counts groups without spread, whose answers then weigh nothing', () => {
    const { zeroStdShare, advantages: values } = groupAdvantages([1, 1, 0, 2], 2, 'group');
    expect(zeroStdShare).toBe(0.5);
    expect(values.slice(0, 2)).toEqual([0, 0]);
    expect(values[3]).toBeGreaterThan(0);
  });

  it('leaves answers without a usable reward out of mean and spread', () => {
    const { advantages: values } = groupAdvantages([1, null, 3, null], 4, 'none');
    expect(values).toEqual([-1, 0, 1, 0]);
    expect(groupAdvantages([null, null], 2, 'group').advantages).toEqual([0, 0]);
  });

  it.each([[[1], 1], [[1, 2, 3], 2]])('refuses %j in groups of %i', (rewards, size) => {
    expect(() => groupAdvantages(rewards, size, 'group')).toThrow(expect.objectContaining({ code: 'config' }));
  });
});

describe('grpoLoss', () => {
  const names = Object.keys(fixture.losses) as (keyof typeof fixture.losses)[];
  it.each(names)('%s equals the reference', (name) => {
    const [lossType, beta, policy] = name.split('/');
    const expected = fixture.losses[name];
    const { loss, stats } = grpoLoss(rowsOf(policy === 'on_policy'), settingsOf(lossType as GrpoLossType, Number(beta.slice(5))), normalizer);
    expect(Math.abs(loss - expected.loss)).toBeLessThan(1e-4);
    if (stats.kl !== null) expect(stats.kl).toBeCloseTo(expected.kl_mean, 4);
    expect(stats.lowMean).toBeCloseTo(expected.clip_ratio_low_mean, 6);
    expect(stats.lowMin).toBeCloseTo(expected.clip_ratio_low_min, 6);
    expect(stats.highMean).toBeCloseTo(expected.clip_ratio_high_mean, 6);
    expect(stats.highMax).toBeCloseTo(expected.clip_ratio_high_max, 6);
    expect(stats.regionMean).toBeCloseTo(expected.clip_ratio_region_mean, 6);
  });

  it.each([['dapo_beta0.0', 'dapo', 0], ['grpo_beta0.04', 'grpo', 0.04]] as const)('%s has the reference’s loss of each token', (key, type, beta) => {
    const { perTokenLoss } = grpoLoss(rowsOf(false), settingsOf(type, beta), normalizer);
    fixture.per_token_loss[key].forEach((row, i) => row.forEach((value, t) => expect(Math.abs(perTokenLoss[i][t] - value)).toBeLessThan(1e-4)));
  });

  const variants = GRPO_LOSS_TYPES.flatMap((type) => (['token', 'sequence'] as const).map((level) => [type, level] as const));
  it.each(variants)('%s per %s has the slopes of its loss', (type, importanceSamplingLevel) => {
    const settings = settingsOf(type, 0.04, { importanceSamplingLevel, delta: 1.9 });
    const rows = rowsOf(false);
    const { gradients } = grpoLoss(rows, settings, normalizer);
    rows.forEach((row, i) =>
      Array.from(row.logProbs).forEach((value, t) => {
        const h = 1e-6;
        const at = (by: number) => {
          const logProbs = Array.from(row.logProbs, (old, s) => (s === t ? value + by : old));
          // cispo's ratio carries no gradient: hold it by moving the old log-probability along.
          const oldLogProbs = type === 'cispo' ? Array.from(row.oldLogProbs!, (old, s) => (s === t ? old + by : old)) : row.oldLogProbs;
          return grpoLoss(rows.map((other, j) => (j === i ? { ...row, logProbs, oldLogProbs } : other)), settings, normalizer).loss;
        };
        expect(gradients[i][t]).toBeCloseTo((at(h) - at(-h)) / (2 * h), 5);
      }),
    );
  });

  it('on the policy itself has ratio 1, so no clipping, and a gradient all the same', () => {
    const { gradients, stats } = grpoLoss(rowsOf(true), settingsOf('dapo', 0), normalizer);
    expect(stats).toMatchObject({ kl: null, lowMean: 0, highMean: 0, regionMean: 0 });
    gradients.forEach((row, i) => row.forEach((slope) => expect(slope).toBeCloseTo(-advantages[i] / tokens, 12)));
  });

  it('pulls to the reference: the KL term is never negative and its slope points there', () => {
    const row = { logProbs: [-1, -3], oldLogProbs: null, refLogProbs: [-3, -1], advantage: 0, masked: false };
    const { perTokenLoss, gradients } = grpoLoss([row], settingsOf('grpo', 1), { rows: 1, completionTokens: 2, microBatches: 1 });
    expect(Math.min(...perTokenLoss[0])).toBeGreaterThan(0);
    expect(gradients[0][0]).toBeGreaterThan(0);
    expect(gradients[0][1]).toBeLessThan(0);
  });

  it('ratios of tokens keep long answers inside the clip where a sum over the answer would leave it', () => {
    const logProbs = new Array<number>(200).fill(-1);
    const row = { logProbs, oldLogProbs: logProbs.map((value) => value - 0.01), refLogProbs: null, advantage: 1, masked: false };
    expect(grpoLoss([row], settingsOf('grpo', 0), { rows: 1, completionTokens: 200, microBatches: 1 }).stats.highMean).toBe(0);
  });

  it('masked rows carry no loss and leave the token denominators', () => {
    const rows = rowsOf(false).map((row, i) => ({ ...row, masked: i === 3 }));
    const kept = rows.filter(({ masked }) => !masked);
    const less = { ...normalizer, completionTokens: tokens - fixture.policy_logps[3].length };
    for (const type of ['bnpo', 'dapo'] as const) {
      const { loss, gradients } = grpoLoss(rows, settingsOf(type, 0), less);
      expect(loss).toBeCloseTo(grpoLoss(kept, settingsOf(type, 0), less).loss, 12);
      expect(Math.max(...gradients[3].map(Math.abs))).toBe(0);
    }
  });

  it('adds up over micro-batches', () => {
    const rows = rowsOf(false);
    for (const type of ['grpo', 'dr_grpo', 'dapo'] as const) {
      const whole = grpoLoss(rows, settingsOf(type, 0.04), normalizer).loss;
      const halves = [rows.slice(0, 4), rows.slice(4)].map((part) => grpoLoss(part, settingsOf(type, 0.04), { ...normalizer, microBatches: 2 }).loss);
      expect(halves[0] + halves[1]).toBeCloseTo(whole, 12);
    }
  });

  it.each(GRPO_LOSS_TYPES)('%s stays finite with an answer without tokens', (type) => {
    const empty = { logProbs: [], oldLogProbs: null, refLogProbs: null, advantage: 1, masked: false };
    const { loss, gradients, stats } = grpoLoss([empty], settingsOf(type, 0), { rows: 1, completionTokens: 0, microBatches: 1 });
    expect([loss, gradients[0].length]).toEqual([0, 0]);
    expect(Object.values(stats).every((value) => value === null || Number.isFinite(value))).toBe(true);
  });
});
