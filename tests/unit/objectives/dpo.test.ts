import { describe, expect, it } from 'vitest';
import { DPO_LOSS_TYPES, dpoLoss, type DpoLossType, type DpoPair } from '../../../src/objectives/dpo.ts';
import fixture from '../../fixtures/objectives/dpo.json' with { type: 'json' };

const pairs: DpoPair[] = fixture.policy_chosen_logps.map((policyChosen, i) => ({
  policyChosen,
  policyRejected: fixture.policy_rejected_logps[i],
  refChosen: fixture.ref_chosen_logps[i],
  refRejected: fixture.ref_rejected_logps[i],
  chosenTokens: fixture.chosen_tokens[i],
  rejectedTokens: fixture.rejected_tokens[i],
}));
const normalizer = { pairs: pairs.length, chosenTokens: pairs.reduce((sum, pair) => sum + pair.chosenTokens, 0) };
const settings = (type: DpoLossType) => ({ beta: fixture.beta, lossTypes: [type], lossWeights: [1], labelSmoothing: fixture.label_smoothing });

describe('dpoLoss', () => {
  it.each([
    ['sigmoid', 'sigmoid'],
    ['hinge', 'hinge'],
    ['ipo', 'ipo'],
    ['ipo_summed', 'ipo_summed'],
    ['robust', 'robust'],
    ['cdpo', 'sigmoid_label_smoothing'],
  ] as const)('%s equals the reference', (type, key) => {
    const expected = fixture.losses[key];
    const result = dpoLoss(pairs, settings(type), normalizer);
    expect(Math.abs(result.loss - expected.loss)).toBeLessThan(1e-4 * Math.max(1, expected.loss));
    expected.per_pair.forEach((loss, i) => expect(Math.abs(result.perPair[i].loss - loss)).toBeLessThan(1e-4 * Math.max(1, loss)));
  });

  it('reports rewards, margins and accuracy of the reference', () => {
    const { perPair } = dpoLoss(pairs, settings('sigmoid'), normalizer);
    perPair.forEach((pair, i) => {
      expect(pair.chosenReward).toBeCloseTo(fixture.rewards_chosen[i], 4);
      expect(pair.rejectedReward).toBeCloseTo(fixture.rewards_rejected[i], 4);
      expect(pair.margin).toBeCloseTo(fixture.margins[i], 4);
    });
    expect(perPair.filter(({ correct }) => correct).length / perPair.length).toBe(fixture.rewards_accuracy);
  });

  it.each(DPO_LOSS_TYPES)('%s has the slopes of its loss', (type) => {
    const moved = (i: number, key: 'policyChosen' | 'policyRejected', by: number) =>
      dpoLoss(pairs.map((pair, p) => (p === i ? { ...pair, [key]: pair[key] + by } : pair)), settings(type), normalizer).loss;
    const { dChosen, dRejected } = dpoLoss(pairs, settings(type), normalizer);
    pairs.forEach((_, i) => {
      const h = 1e-5;
      const chosen = (moved(i, 'policyChosen', h) - moved(i, 'policyChosen', -h)) / (2 * h);
      const rejected = (moved(i, 'policyRejected', h) - moved(i, 'policyRejected', -h)) / (2 * h);
      expect(dChosen[i]).toBeCloseTo(chosen, 5);
      expect(dRejected[i]).toBeCloseTo(rejected, 5);
    });
  });

  it('adds up over micro-batches to the loss of the whole batch, whatever the accumulation', () => {
    const mixed = { beta: 0.1, lossTypes: ['sigmoid', 'sft'] as const, lossWeights: [1, 0.5], labelSmoothing: 0 };
    const whole = dpoLoss(pairs, mixed, normalizer);
    const parts = pairs.map((pair) => dpoLoss([pair], mixed, normalizer));
    expect(parts.reduce((sum, part) => sum + part.loss, 0)).toBeCloseTo(whole.loss, 12);
    expect(parts.flatMap((part) => part.dChosen)).toEqual(whole.dChosen);
  });

  it('sums over answer tokens: a longer prompt or answer does not water the signal down', () => {
    const one = dpoLoss([{ ...pairs[0], chosenTokens: 10 }], settings('sigmoid'), { pairs: 1, chosenTokens: 10 });
    const other = dpoLoss([{ ...pairs[0], chosenTokens: 1000 }], settings('sigmoid'), { pairs: 1, chosenTokens: 1000 });
    expect(one).toEqual(other);
  });

  it('stays finite far from the reference', () => {
    for (const type of DPO_LOSS_TYPES) {
      const far = dpoLoss([{ ...pairs[0], policyChosen: -1e4, policyRejected: 0 }], settings(type), { pairs: 1, chosenTokens: 10 });
      expect([far.loss, ...far.dChosen, ...far.dRejected].every(Number.isFinite)).toBe(true);
    }
  });

  it.each([[['sigmoid', 'sft'], [1]], [[], []]] as const)('refuses losses %j with weights %j', (lossTypes, lossWeights) => {
    const call = () => dpoLoss(pairs, { ...settings('sigmoid'), lossTypes: [...lossTypes], lossWeights: [...lossWeights] }, normalizer);
    expect(call).toThrowError(expect.objectContaining({ code: 'config' }));
  });
});
