import { describe, expect, it } from 'vitest';
import { EXAMPLES } from '../../../src/app/rewards/examples.ts';
import { editKey, freeName, nameFault, offsetOf } from '../../../src/app/rewards/own-rewards.ts';
import { samplesOfDataset, samplesOfGroups } from '../../../src/app/rewards/trial-samples.ts';
import { noteText } from '../../../src/app/runs/diagnosis-words.ts';
import { en } from '../../../src/app/texts/en.ts';
import { zh } from '../../../src/app/texts/zh.ts';
import { DIAGNOSIS_CODES, type DiagnosisCode } from '../../../src/objectives/diagnosis.ts';
import { rewardModule } from '../../../src/objectives/rewards/custom.ts';
import type { SamplePreview } from '../../../src/protocol/messages.ts';
import { CUSTOM_REWARD_FAULTS, type ScoredPrompt } from '../../../src/protocol/reward-messages.ts';

const own = (...names: string[]) => names.map((name) => ({ name, weight: 1, source: '' }));

describe('names of own rewards', () => {
  it('are short words that no other reward and no term of the scheme has', () => {
    expect(nameFault(own('short'), 0, ['format'])).toBeNull();
    expect(nameFault(own('2nd'), 0, [])).toBe('form');
    expect(nameFault(own('a', 'a'), 1, [])).toBe('taken');
    expect(nameFault(own('format'), 0, ['format'])).toBe('taken');
  });

  it('get a number where the wished one is taken', () => {
    expect(freeName(own('a', 'a_2'), 'a', [])).toBe('a_3');
    expect(freeName([], 'format', ['format'])).toBe('format_2');
  });
});

describe('the code editor', () => {
  const text = 'function f() {\n    return 1;\n}';

  it('indents, keeps the indent of a line, goes deeper after a brace, and takes an indent back', () => {
    expect(editKey(text, 3, 3, 'Tab')).toEqual({ from: 3, to: 3, insert: '  ' });
    expect(editKey(text, 28, 28, 'Enter')).toEqual({ from: 28, to: 28, insert: '\n    ' });
    expect(editKey(text, 14, 14, 'Enter')).toEqual({ from: 14, to: 14, insert: '\n  ' });
    expect(editKey(text, 22, 22, 'Shift+Tab')).toEqual({ from: 15, to: 17, insert: '' });
    expect(editKey(text, 3, 3, 'Shift+Tab')).toBeNull();
  });

  it('does not indent beyond the caret inside the indent', () => {
    expect(editKey(text, 17, 17, 'Enter')?.insert).toBe('\n  ');
  });
});

describe('the place of a fault', () => {
  it('is where the caret goes', () => {
    const text = 'ab\ncde\n';
    expect([[1, 1], [1, 3], [2, 2], [3, 1]].map(([line, column]) => offsetOf(text, { line, column }))).toEqual([0, 2, 4, 7]);
  });

  it('is held inside the text, which may have changed since', () => {
    expect(offsetOf('ab\ncde', { line: 9, column: 9 })).toBe(6);
    expect(offsetOf('ab\ncde', { line: 1, column: 9 })).toBe(2);
    expect(offsetOf('', { line: 1, column: 1 })).toBe(0);
  });
});

describe('the examples', () => {
  it('are modules that the worker accepts', () => {
    for (const source of Object.values(EXAMPLES)) expect(rewardModule(source)).toContain('export default reward');
  });
});

describe('what a reward is tried on', () => {
  const completion = { text: 'said', boxes: [], tokens: 1, truncated: false, rewards: {}, reward: 1, advantage: 0 };
  const preview = (id: string, truth: string, scored: Partial<ScoredPrompt> = {}): SamplePreview => ({ split: 'train', index: 0, id, media: [], turns: [], boxes: [], scored: { prompt: 'Find it.', truth, ...scored }, tokens: null });

  it('is each sample with its own answer and with the next one’s', () => {
    const samples = samplesOfDataset([preview('a', '1. lamp <box>(1,2),(3,4)</box>'), preview('b', 'nothing')], 'thousandths');
    expect(samples.map(({ id, answer, call }) => [id, answer, call.completion.slice(0, 7)])).toEqual([
      ['a', 'own', '1. lamp'],
      ['a', 'other', 'nothing'],
      ['b', 'own', 'nothing'],
      ['b', 'other', '1. lamp'],
    ]);
    expect(samples[0].call.truthObjects[0].box).toEqual([1, 2, 3, 4]);
    expect(samples[0].call.prompt).toBe('Find it.');
    expect(samplesOfDataset([preview('a', 'x')], 'thousandths')).toHaveLength(1);
  });

  it('comes with the sample’s further columns, of the dataset and of a run', () => {
    const extra = { site: 'north', limits: [1, 2] };
    expect(samplesOfDataset([preview('a', 'x', { extra })], 'thousandths')[0].call.extra).toEqual(extra);
    const group = { step: 3, sample: 0, id: 'a', prompt: 'p', truth: 't', extra, truthBoxes: [], completions: [completion] };
    expect(samplesOfGroups([group], 'thousandths')[0].call.extra).toEqual(extra);
    expect(samplesOfGroups([{ ...group, extra: undefined }], 'thousandths')[0].call.extra).toEqual({});
  });

  it('has boxes in pixels turned into thousandths, and leaves out what tells no size', () => {
    const truth = '[{"bbox_2d": [64, 32, 128, 64], "label": "lamp"}]';
    const samples = samplesOfDataset([preview('a', truth, { imageSize: { width: 128, height: 64 } }), preview('b', truth)], 'pixels');
    expect(samples.map(({ id, call }) => [id, call.truthObjects[0].box])).toEqual([['a', [500, 500, 1000, 1000]]]);
  });

  it('is the sampled answers of a run, numbered in their groups', () => {
    const group = { step: 3, sample: 0, id: 'a', prompt: 'p', truth: 't', truthBoxes: [], completions: [completion, completion] };
    expect(samplesOfGroups([group, group], 'thousandths').map(({ answer }) => answer)).toEqual([1, 2, 1, 2]);
    expect(samplesOfGroups(Array.from({ length: 20 }, () => group), 'thousandths')).toHaveLength(12);
  });
});

describe('words', () => {
  it('exist for every fault of a reward', () => {
    for (const { ownRewards } of [en, zh]) {
      for (const fault of CUSTOM_REWARD_FAULTS) expect(ownRewards.faults[fault]).toBeTruthy();
    }
  });

  it('exist for every note, with its figures as people read them', () => {
    const note = (code: DiagnosisCode, severity: 'info' | 'warning', values: Record<string, number>) => noteText({ code, severity, values, setting: [] }, en);
    for (const code of DIAGNOSIS_CODES) expect(note(code, 'warning', {}).length, code).toBeGreaterThan(20);
    expect(note('length-cut', 'warning', { share: 0.25 })).toContain('25 %');
    expect(note('kl-drift', 'warning', { kl: 0.2104 })).toContain('0.210');
    expect(note('both-log-probs-falling', 'info', { chosen: -1 })).toContain('fine while');
    expect(note('both-log-probs-falling', 'warning', { chosen: -1 })).toContain('does not grow');
  });
});
