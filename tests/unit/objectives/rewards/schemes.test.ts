import { describe, expect, it } from 'vitest';
import { REWARD_SCHEMES, rewardScheme, weightedReward } from '../../../../src/objectives/rewards/scheme.ts';

const item = (n: number, category: string, status: string, box: string) => `${n}. ${category}\n   - 状态：${status}\n   - 位置：<box>${box}</box>`;
const answer = (...items: string[]) => `检测到以下交通设备：\n\n${items.join('\n')}`;
const LAMP = item(1, '路灯', '不亮', '(0,0),(100,100)');
const SIGN = item(2, '交通标志', '正常', '(500,500),(600,700)');
const BOTH = answer(LAMP, SIGN);
const NONE = '未检测到相关设备。';
/** Half of the lamp's box. */
const HALF_LAMP = answer(item(1, '路灯', '不亮', '(0,0),(50,100)'));

const score = (name: string, truth: string, completion: string, options = {}) => rewardScheme(name).score(truth, completion, options);
const total = (name: string, truth: string, completion: string, options = {}) => {
  const { terms, defaultWeights } = rewardScheme(name);
  const values = score(name, truth, completion, options);
  return weightedReward(terms.map((term) => values[term]), terms.map((term) => defaultWeights[term]));
};

describe('original', () => {
  it.each([
    ['perfect', BOTH, BOTH, [1, 1, 1, 1], 5],
    ['half of one of two', BOTH, HALF_LAMP, [1, 2 * 0.25 - 1, 0, 0], 1 - 1 + 0 + 0],
    ['words only', BOTH, '一些文字', [0.3, -1, -1, -1], 0.3 - 4],
    ['nothing', BOTH, '', [-1, -1, -1, -1], -5],
    ['denies', BOTH, NONE, [1, -1, -1, -1], -3],
    ['rightly none', NONE, NONE, [1, 1, 1, 1], 5],
    ['invents', NONE, BOTH, [1, -0.3, -0.3, 0.5], 1 - 0.6 - 0.45 + 0.25],
  ])('%s', (_, truth, completion, [format, bbox, category, completeness], sum) => {
    expect(score('original', truth, completion)).toEqual({ format, bbox, category, completeness });
    expect(total('original', truth, completion)).toBeCloseTo(sum, 12);
  });

  it('knows boxes without numbers as "unknown", which match no category', () => {
    expect(score('original', answer(LAMP), '<box>(0,0),(100,100)</box>')).toEqual({ format: 1, bbox: 1, category: -1, completeness: 1 });
  });

  it('agrees on categories by substring either way, but not with an empty name', () => {
    expect(score('original', answer(LAMP), answer(item(1, '路灯（左侧）', '正常', '(0,0),(100,100)'))).category).toBe(1);
    expect(score('original', answer(LAMP), '1. \t\n<box>(0,0),(100,100)</box>').category).toBe(-1);
  });
});

describe('gated', () => {
  const zero = { format: 0, bbox: 0, category: 0, completeness: 0 };
  it.each([
    ['perfect', BOTH, BOTH, 7.2],
    ['rightly none', NONE, NONE, 7.2],
    ['invents', NONE, BOTH, 0.2 - 0.9 - 0.6 + 1],
  ])('%s', (_, truth, completion, sum) => expect(total('gated', truth, completion)).toBeCloseTo(sum, 12));

  it.each([
    ['boxes without numbers', BOTH, '状态：正常\n<box>(0,0),(100,100)</box>'],
    ['no status', BOTH, '1. 路灯\n<box>(0,0),(100,100)</box>'],
    ['denies what is there', BOTH, NONE],
    ['silent where nothing is', NONE, '好的'],
    ['empty', BOTH, ''],
  ])('gives nothing at all: %s', (_, truth, completion) => expect(score('gated', truth, completion)).toEqual(zero));

  it('reads negative and fractional boxes, which the original does not', () => {
    const completion = answer(item(1, '路灯', '不亮', '(-0.0, 0.0), (100.0, 100.0)'));
    expect(score('gated', answer(LAMP), completion).bbox).toBe(1);
    expect(score('original', answer(LAMP), completion).bbox).toBe(-1);
  });
});

describe('trl_legacy', () => {
  it.each([
    ['perfect', BOTH, BOTH, [1, 1, 1, 1], 5],
    ['one half', BOTH, HALF_LAMP, [1, 0.25, 0.5, 1], 1 + 0.5 + 0.5 + 1],
    ['number, no status', BOTH, '1. 路灯\n<box>(0,0),(100,100)</box>', [0.7, 0.5, 0.5, 0], 0.7 + 1 + 0.5],
    ['box alone', BOTH, '<box>(0,0),(100,100)</box>', [0.5, 0.5, 0, 0], 1.5],
    ['text', BOTH, '好的', [0.1, 0, 0, 0], 0.1],
    ['empty', BOTH, '', [0, 0, 0, 0], 0],
    ['rightly none', NONE, NONE, [0.1, 1, 1, 1], 4.1],
    ['invents', NONE, BOTH, [1, 0.3, 0.5, 0.5], 1 + 0.6 + 0.5 + 0.5],
  ])('%s', (_, truth, completion, [format, bbox_iou, category_match, status_accuracy], sum) => {
    expect(score('trl_legacy', truth, completion)).toEqual({ format, bbox_iou, category_match, status_accuracy });
    expect(total('trl_legacy', truth, completion)).toBeCloseTo(sum, 12);
  });
});

describe('risk_aware', () => {
  const terms = (truth: string, completion: string, risk = {}) => Object.values(score('risk_aware', truth, completion, { risk }));

  it.each([
    ['perfect', BOTH, BOTH, [1, 1, 1, 1, 1, 1]],
    ['denies', BOTH, NONE, [0, 0, 0, -1, -1, -1]],
    ['says it', NONE, NONE, [1, 1, 1, 0, 1, 0]],
    ['silent', NONE, '好的', [0, 0.8, 1, 0, 1, 0]],
    ['invents two, one of them faulty', NONE, BOTH, [1, 0, 0, -0.7, 0.3, -0.5]],
    ['misses one', BOTH, answer(LAMP), [1, 2 / 3, 1, 0.5, 0.5, 1]],
    ['misses the faulty one', BOTH, answer(item(1, '交通标志', '正常', '(500,500),(600,700)')), [1, 2 / 3, 1, 0.5, 0.5, 0]],
    ['one too many', answer(LAMP), BOTH, [1, 2 / 3, 1, 0, 0.65, 1]],
    ['false alarm', answer(item(1, '路灯', '正常', '(0,0),(100,100)')), answer(LAMP), [1, 1, 1, 1, 1, 0.5]],
    ['wrong category', answer(LAMP), answer(item(1, '护栏', '不亮', '(0,0),(100,100)')), [1, 0, 1, 1, 1, 1]],
    ['IoU 0.75', answer(LAMP), answer(item(1, '路灯', '不亮', '(0,0),(75,100)')), [1, 1, 0.5, 1, 1, 1]],
  ])('%s', (_, truth, completion, expected) => {
    terms(truth, completion).forEach((value, i) => expect(value).toBeCloseTo(expected[i], 12));
  });

  it('takes its parameters, the threshold held between 0.1 and 0.95', () => {
    expect(terms(answer(LAMP), HALF_LAMP)[1]).toBe(1);
    expect(terms(answer(LAMP), HALF_LAMP, { matchIou: 0.6 })[1]).toBe(0);
    expect(terms(answer(LAMP), answer(LAMP), { matchIou: 5 })[1]).toBe(1);
    expect(terms(NONE, '', { noDetectionMissingPenalty: 0.5 })[1]).toBe(0.5);
    expect(terms(answer(LAMP), BOTH, { hallucinationUnitPenalty: 0.1 })[4]).toBeCloseTo(0.9, 12);
    expect(terms(BOTH, answer(LAMP), { omissionPenalty: 0.5 })[4]).toBe(0.75);
  });

  it('weighs precision 0.4 and recall 0.6 of faults over matched pairs', () => {
    const truth = answer(LAMP, SIGN, item(3, '护栏', '破损', '(700,0),(800,100)'));
    const completion = answer(LAMP, item(2, '交通标志', '故障', '(500,500),(600,700)'), item(3, '护栏', '正常', '(700,0),(800,100)'));
    expect(terms(truth, completion)[5]).toBeCloseTo(0.4 / 2 + 0.6 / 2, 12);
  });
});

describe('demo', () => {
  const lines = (...objects: string[]) => `检测到${objects.length}个设备：${objects.map((object, i) => `\n${i + 1}. ${object}`).join('')}`;
  const lamp = '路灯\n   状态：不亮\n   <box>(0,0),(100,100)</box>';
  const sign = '交通标志\n   状态：正常\n   <box>(500,500),(600,700)</box>';
  const none = '未检测到相关设备';
  it.each([
    ['perfect', lines(lamp, sign), lines(lamp, sign), 7.2],
    ['rightly none', none, none, 7.2],
    ['misses one', lines(lamp, sign), lines(lamp), 0.2 + 3.5],
    ['one too many', lines(lamp), lines(lamp, sign), 0.2 + 3.5],
    ['wrong status', lines(lamp), lines(lamp.replace('不亮', '正常')), 5.2],
    ['invents', none, lines(lamp), 0.2],
    ['denies', lines(lamp), none, 0.2],
    ['wrong count announced', lines(lamp), lines(lamp).replace('1个', '2个'), 0],
    ['another format', lines(lamp), '[{"bbox_2d":[0,0,100,100],"label":"路灯"}]', 0],
  ])('%s', (_, truth, completion, sum) => expect(total('demo', truth, completion)).toBeCloseTo(sum, 12));

  it('allows known categories only, where they are given', () => {
    expect(total('demo', lines(lamp), lines(lamp), { categories: new Set(['护栏']) })).toBe(0);
  });

  it('is understood by the numbered reader too, its sentence included', () => {
    expect(total('gated', lines(lamp, sign), lines(lamp, sign))).toBeCloseTo(7.2, 12);
    expect(total('gated', none, none)).toBeCloseTo(7.2, 12);
  });
});

describe('formats', () => {
  it.each([
    ['JSON', '[{"bbox_2d":[0,0,100,100],"label":"street lamp"}]', '```json\n[{"bbox_2d": [0, 0, 100, 100], "label": "street lamp"}]\n```'],
    ['points', '路灯，不亮，(0,0),(100,100)。', '路灯(0, 0), (100, 100)'],
    ['reference tags', '<|object_ref_start|>lamp<|object_ref_end|><|box_start|>(0,0),(100,100)<|box_end|>', '<|object_ref_start|>lamp<|object_ref_end|><|box_start|>(0,0),(100,100)<|box_end|>'],
    ['one line each', '1. 路灯 - 状态：正常 - 位置：<box>(0,0),(100,100)</box>', '1. 路灯 - 状态：不亮 - 位置：<box>(0,0),(100,100)</box>'],
  ])('%s', (_, truth, completion) => expect(total('original', truth, completion)).toBe(5));

  it('turns pixels into thousandths of each side, and asks for the size', () => {
    const truth = answer(item(1, '路灯', '不亮', '(0,0),(100,200)'));
    const options = { boxes: 'pixels', imageSize: { width: 200, height: 400 } };
    expect(total('original', truth, truth, options)).toBe(5);
    expect(() => score('original', truth, truth, { boxes: 'pixels' })).toThrowError(expect.objectContaining({ code: 'config' }));
  });

  it('refuses unknown scheme names', () => expect(() => rewardScheme('best')).toThrowError(expect.objectContaining({ code: 'config' })));
});

describe('hostile completions', () => {
  const texts = {
    digits: '1'.repeat(100_000),
    brackets: '['.repeat(100_000),
    'closed brackets': '['.repeat(50_000) + ']'.repeat(50_000),
    boxes: '<box>(1,1),'.repeat(10_000),
    'numbers and dots': '1. '.repeat(33_000),
    statuses: '状态：'.repeat(33_000),
    blanks: ' '.repeat(100_000),
    points: '(1,1),'.repeat(17_000),
    angles: '<'.repeat(100_000),
    dashes: '1. a' + ' - 状态：'.repeat(15_000),
  };
  it.each(Object.entries(texts))('%s are read quickly', (_, text) => {
    for (const scheme of REWARD_SCHEMES) {
      const start = performance.now();
      for (const value of Object.values(scheme.score(BOTH, text))) expect(value).toBeTypeOf('number');
      scheme.score(NONE, text);
      expect(performance.now() - start, scheme.name).toBeLessThan(1000);
    }
  });
});
