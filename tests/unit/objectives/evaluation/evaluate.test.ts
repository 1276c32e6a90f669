import { describe, expect, it } from 'vitest';
import { boxScores, boxSpans } from '../../../../src/objectives/evaluation/box-score.ts';
import { evaluate, valueOf } from '../../../../src/objectives/evaluation/evaluate.ts';
import { METRIC_NAMES, type MetricName } from '../../../../src/objectives/evaluation/metrics.ts';
import type { GivenAnswer } from '../../../../src/objectives/evaluation/read-sample.ts';

const item = (n: number, category: string, status: string, box: number[]) => `${n}. ${category}\n   状态：${status}\n   <box>(${box[0]},${box[1]}),(${box[2]},${box[3]})</box>`;
const list = (...objects: [category: string, status: string, box: number[]][]) => `检测到${objects.length}个设备：\n${objects.map(([category, status, box], i) => item(i + 1, category, status, box)).join('\n')}`;
const NOTHING = '未检测到相关设备';
const LAMP: [string, string, number[]] = ['灯', '全灭', [100, 100, 300, 300]];
const SIGN: [string, string, number[]] = ['牌', '正常', [600, 600, 800, 800]];

function measured(pairs: [truth: string, answer: string | Partial<GivenAnswer>][]) {
  const answers = pairs.map(([, answer]): GivenAnswer => ({ text: '', tokens: 10, seconds: 1, certainty: null, ...(typeof answer === 'string' ? { text: answer } : answer) }));
  const evaluation = evaluate(pairs.map(([truth]) => ({ truth })), answers);
  return { evaluation, figure: (name: MetricName) => valueOf(evaluation.figures[name], pairs.length) };
}

describe('an evaluation', () => {
  const { evaluation, figure } = measured([
    [list(LAMP, SIGN), list(LAMP, SIGN)],
    [list(LAMP), NOTHING],
    [list(SIGN), 'I cannot see well.'],
    [NOTHING, list(['灯', '正常', [0, 0, 50, 50]])],
    [NOTHING, NOTHING],
    ['', list(LAMP)],
    [list(LAMP), list(['车', '正常', [100, 100, 300, 300]])],
  ]);

  it('counts boxes over samples with truth: 2 of 4 predicted, 2 of 5 true', () => {
    expect(figure('precision')).toBe(2 / 4);
    expect(figure('recall')).toBe(2 / 5);
    expect(figure('f1_score')).toBe(4 / 9);
  });

  it('counts what is made up, left out and rejected, each among the images where it can happen', () => {
    expect(figure('hallucination_rate')).toBe(1 / 2);
    expect(figure('no_object_rejection_rate')).toBe(1 / 2);
    expect(figure('omission_rate')).toBe(2 / 4);
    expect(figure('false_rejection_rate')).toBe(1 / 4);
    expect(figure('parse_success_rate')).toBe(5 / 6);
    expect(figure('strict_format_rate')).toBe(5 / 6);
  });

  it('sees faults by image: lamps that are out in three, one of them said', () => {
    expect(figure('anomaly_precision')).toBe(1);
    expect(figure('anomaly_recall')).toBe(1 / 3);
    expect(figure('anomaly_f1')).toBe(1 / 2);
    expect(figure('anomaly_accuracy')).toBe(4 / 6);
  });

  it('counts how many there are: off by 1, 1 and 1 in six images', () => {
    expect(figure('count_mae')).toBe(3 / 6);
    expect(figure('count_rmse')).toBe(Math.sqrt(3 / 6));
    expect(figure('avg_pred_boxes')).toBe(5 / 7);
    expect(figure('avg_gt_boxes')).toBe(5 / 6);
  });

  it('names what is not as usual', () => {
    expect(evaluation.counts).toEqual({ samples: 7, withoutTruth: 1, unreadable: 1, onlyPredicted: [{ name: '车', predictions: 1 }] });
    expect(evaluation.samples.map(({ faults }) => faults)).toEqual([[], ['missed'], ['unreadable', 'missed'], ['invented'], [], [], ['class']]);
    expect(evaluation.samples.map(({ quality }) => quality)).toEqual([1, 0, 0, 0, 1, null, 0]);
    expect(evaluation.samples[0].sizes).toEqual(['medium']);
  });

  it('sets classes against each other, with a row and a column for nothing', () => {
    expect(evaluation.confusion).toEqual({ classes: ['灯', '车', '牌'].sort((a, b) => a.localeCompare(b)), counts: expect.anything() as number[][] });
    const { classes, counts } = evaluation.confusion!;
    const at = (truth: string | null, given: string | null) => counts[truth === null ? classes.length : classes.indexOf(truth)][given === null ? classes.length : classes.indexOf(given)];
    expect([at('灯', '灯'), at('灯', '车'), at('灯', null), at('牌', '牌'), at('牌', null), at(null, '灯')]).toEqual([1, 1, 1, 1, 1, 1]);
    expect(counts.flat().reduce((sum, count) => sum + count, 0)).toBe(6);
  });

  it('measures nothing where there is nothing, and never says 0 of it', () => {
    const empty = measured([]);
    expect(METRIC_NAMES.map(empty.figure).every((value) => value === null)).toBe(true);
    expect(empty.evaluation.counts.samples).toBe(0);
    const only = measured([[list(LAMP), list(LAMP)]]);
    expect([only.figure('hallucination_rate'), only.figure('no_object_rejection_rate')]).toEqual([null, null]);
    expect(measured([[NOTHING, NOTHING]]).figure('ap50')).toBeNull();
    expect(measured([['A road.', 'A road.']]).evaluation.detection).toBeNull();
  });
});

describe('the score of a box', () => {
  it('is the mean probability of the tokens of its coordinates', () => {
    const text = 'x <box>(12,34),(56,78)</box>';
    const tokens = ['x <box>(', '12', ',34', '),(', '56,', '78', ')</box>'];
    let end = 0;
    const ends = tokens.map((token) => (end += token.length));
    expect(boxSpans(text, [[12, 34, 56, 78]])).toEqual([{ from: 8, to: 21 }]);
    expect(boxScores(text, [[12, 34, 56, 78]], { ends, probabilities: [0, 0.5, 0.7, 0.9, 0.6, 0.8, 0] })).toEqual([(0.5 + 0.7 + 0.9 + 0.6 + 0.8) / 5]);
  });

  it('tells boxes with the same numbers apart by their order, and takes the whole answer for one that it cannot find', () => {
    const text = '(1,2),(3,4) (1,2),(3,4)';
    expect(boxSpans(text, [[1, 2, 3, 4], [1, 2, 3, 4]])).toEqual([{ from: 1, to: 10 }, { from: 13, to: 22 }]);
    expect(boxScores(text, [[9, 9, 9, 9]], { ends: [12, 23], probabilities: [0.2, 0.6] })).toEqual([0.4]);
    expect(boxScores(text, [[1, 2, 3, 4]], null)).toEqual([1]);
  });

  it('decides which of two boxes on one object is the hit', () => {
    const two = `${list(LAMP, LAMP)}`;
    const tokens = [...two];
    const ends = tokens.map((_, i) => i + 1);
    const second = two.lastIndexOf('<box>');
    const sure = (first: number, last: number) => ({ text: two, certainty: { ends, probabilities: ends.map((end) => (end > second ? last : first)) } });
    const shifted = list(LAMP, ['灯', '全灭', [100, 100, 300, 420]]);
    expect(measured([[list(LAMP), sure(0.9, 0.2)]]).figure('ap50')).toBe(1);
    const wrongFirst = measured([[list(LAMP), { text: shifted, certainty: { ends: [...shifted].map((_, i) => i + 1), probabilities: [...shifted].map((_, i) => (i > shifted.lastIndexOf('<box>') ? 0.9 : 0.3)) } }]]);
    // At 0.75 the surer box is off, and the right one comes second.
    expect(wrongFirst.figure('ap75')).toBeCloseTo(0.5, 12);
  });

  it('is the confidence of the answer itself where it gives one', () => {
    const answer = JSON.stringify([{ bbox_2d: [0, 0, 10, 10], label: 'a', confidence: 0.2 }, { bbox_2d: [50, 50, 60, 60], label: 'a', confidence: 0.9 }]);
    expect(measured([[JSON.stringify([{ bbox_2d: [0, 0, 10, 10], label: 'a' }]), answer]]).figure('ap50')).toBeCloseTo(0.5, 12);
  });
});
