/** What leaves an evaluation: files in the original's names, a table, a report. */
import { describe, expect, it } from 'vitest';
import { evaluationCsv } from '../../../src/evaluation/csv.ts';
import { evaluationHtml, remarks } from '../../../src/evaluation/html.ts';
import { evaluationFiles } from '../../../src/evaluation/json-files.ts';
import { measureSet } from '../../../src/evaluation/measure-set.ts';
import { differenceText, formatFigure, verdictOf } from '../../../src/evaluation/words-of-values.ts';
import { EVALUATION_WORDS } from '../../../src/evaluation/words.ts';
import { worstFirst } from '../../../src/evaluation/worst.ts';
import { extractBoxes } from '../../../src/objectives/detection-answer.ts';
import type { AnsweredSample, SetAnswer } from '../../../src/protocol/evaluation-messages.ts';

const one = (category: string, box: string) => `检测到1个设备：\n1. ${category}\n   状态：正常\n   <box>${box}</box>`;
const RIGHT = one('灯', '(100,100),(300,300)');
const answer = (text: string, seconds = 1): SetAnswer => ({ text, boxes: extractBoxes(text), tokens: 20, seconds, ended: 'stop', certainty: { ends: [], probabilities: [] } });
const sample = (index: number, truth: string, ...answers: string[]): AnsweredSample => ({ index, id: `s${index}`, prompt: 'What <is> there?', truth, truthBoxes: extractBoxes(truth), pixelsOf: null, image: null, answers: answers.map((text, i) => answer(text, 1 + i)) });

/** The base model is right in 2 of 8, the adapter in 7. */
const SAMPLES = Array.from({ length: 8 }, (_, i) => sample(i, RIGHT, i < 2 ? RIGHT : 'A <road>.', i === 6 ? one('=车', '(700,700),(900,900)') : RIGHT));
const measured = () => measureSet(SAMPLES, ['base', 'mine']);
const ORIGIN = { modelPath: 'tiny', testData: 'val.json' };

describe('a measured set', () => {
  it('has figures with intervals, and differences against the first', async () => {
    const { rows } = await measured();
    const recall = rows.find(({ metric }) => metric === 'recall')!;
    expect(recall.values).toEqual([2 / 8, 7 / 8]);
    expect(recall.intervals[1]!.low).toBeLessThan(7 / 8);
    expect(recall.differences[0]).toBeNull();
    expect(recall.differences[1]!.difference).toBe(5 / 8);
    expect(verdictOf('recall', recall.differences[1]!)).toBe('better');
    const latency = rows.find(({ metric }) => metric === 'latency_ms_mean')!;
    expect(verdictOf('latency_ms_mean', latency.differences[1]!)).toBe('worse');
    expect(rows.find(({ metric }) => metric === 'hallucination_rate')!.values).toEqual([null, null]);
  });

  it('gives the original’s files, with null where there is nothing to measure', async () => {
    const files = evaluationFiles(await measured(), ['base', 'mine'], ORIGIN);
    const names = files.map(({ path }) => path);
    expect(names).toHaveLength(2 * 11 + 1);
    expect(names).toContain('mine/eval_results_iou0.50.json');
    expect(names).toContain('base/eval_results_iou0.95.json');
    const read = (path: string) => JSON.parse(files.find((file) => file.path === path)!.text) as Record<string, unknown>;
    expect(read('mine/eval_results_iou0.50.json')).toMatchObject({ iou_threshold: 0.5, overall: { tp: 7, fp: 1, fn: 1, num_gt: 8, num_pred: 8, precision: 7 / 8, iou_mean: 1, iou_std: 0 }, per_class: { 灯: { tp: 7, fp: 0, fn: 1 }, '=车': { ap: null, recall: null, tp: 0, fp: 1, iou_mean: null } } });
    const summary = read('mine/eval_summary.json');
    expect(summary).toMatchObject({ model_path: 'tiny', test_data: 'val.json', num_samples: 8, vlm_metrics: { hallucination_rate: null, omission_rate: 0, parse_success_rate: 1 }, classes_only_predicted: { '=车': 1 } });
    expect(Object.keys(summary['per_class'] as object)).toEqual(['=车', '灯'].sort((a, b) => a.localeCompare(b)));
    expect(Object.keys((summary['per_class'] as Record<string, object>)['灯'])).toEqual(['ap50', 'ap75', 'map50_95', 'precision@50', 'recall@50', 'f1@50', 'num_gt', 'num_pred']);
    expect(read('base/eval_summary.json')).toMatchObject({ unreadable_answers: 6 });
    expect(files.at(-1)!.text.trim().split('\n')).toHaveLength(8);
    expect(evaluationFiles(await measureSet(SAMPLES.map((s) => ({ ...s, answers: s.answers.slice(1) })), ['mine']), ['mine'], ORIGIN).map(({ path }) => path)).toContain('eval_summary.json');
  });

  it('gives a table in which nothing is an empty cell, and no name a formula', async () => {
    const set = await measureSet(SAMPLES, ['=1+1', 'a "b", c']);
    const lines = evaluationCsv(set).split('\r\n');
    expect(lines[0]).toBe(`metric,'=1+1,'=1+1 low,'=1+1 high,"a ""b"", c","a ""b"", c low","a ""b"", c high","a ""b"", c difference","a ""b"", c difference low","a ""b"", c difference high"`);
    expect(lines.find((line) => line.startsWith('hallucination_rate'))).toBe('hallucination_rate,,,,,,,,,');
  });

  it('gives a report without scripts, in which all that models say is text', async () => {
    const html = evaluationHtml(await measured(), 0, new Map([[2, 'data:image/png;base64,AA==']]), new Date(0), 'en');
    expect(html).not.toMatch(/<script|<road>|<is>/);
    expect(html).toContain('A &lt;road&gt;.');
    expect(html.match(/<img /g)).toHaveLength(2);
    expect(html).toContain('better by 0.625 ± ');
    expect(html).toContain('nothing to measure');
    expect(evaluationHtml(await measured(), 1, new Map(), new Date(0), 'zh')).toContain('最差的回答在前');
  });

  it('shows the worst first, and those that filters let through', async () => {
    const set = await measured();
    expect(worstFirst(set, 1)[0]).toBe(6);
    expect(worstFirst(set, 0).slice(0, 2)).toEqual([2, 3]);
    expect(worstFirst(set, 1, { className: '=车', size: null, fault: null })).toEqual([6]);
    expect(worstFirst(set, 1, { className: null, size: 'medium', fault: 'invented' })).toEqual([6]);
    expect(worstFirst(set, 1, { className: null, size: 'small', fault: null })).toEqual([]);
  });

  it('says what is not as usual', async () => {
    const said = remarks(await measureSet([...SAMPLES, sample(8, '', RIGHT, RIGHT)], ['base', 'mine']), EVALUATION_WORDS.en);
    expect(said).toEqual(['1 without a truth: only their answers are counted', 'base: 6 answers in which nothing can be read', 'mine: classes that no truth has: =车 (1)', expect.stringContaining('mean probability')]);
  });

  it('of plain text has no boxes to speak of', async () => {
    const set = await measureSet([sample(0, 'A road.', 'A road.'), sample(1, 'A lamp.', 'No.')], ['base']);
    expect(set.rows.map(({ metric }) => metric)).not.toContain('ap50');
    expect(evaluationFiles(set, ['base'], ORIGIN).map(({ path }) => path)).toEqual(['eval_summary.json', 'predictions.jsonl']);
    expect(worstFirst(set, 0)).toEqual([1, 0]);
  });
});

describe('figures in words', () => {
  it('have a unit and a fixed width, and no number for nothing', () => {
    expect([formatFigure('ap50', 0.5), formatFigure('count_mae', 1.234), formatFigure('latency_ms_mean', 1234.5), formatFigure('latency_ms_mean', 12345), formatFigure('ap50', null)]).toEqual(['0.500', '1.23', '1235 ms', '12.3 s', '–']);
  });

  it('say better only where chance is ruled out, and which way is better', () => {
    const words = EVALUATION_WORDS.en;
    expect(differenceText('ap50', { difference: 0.04, low: 0.02, high: 0.06, margin: 0.02 }, words)).toBe('better by 0.040 ± 0.020');
    expect(differenceText('hallucination_rate', { difference: 0.04, low: 0.02, high: 0.06, margin: 0.02 }, words)).toBe('worse by 0.040 ± 0.020');
    expect(differenceText('ap50', { difference: -0.01, low: -0.02, high: 0.01, margin: 0.015 }, words)).toBe('no clear difference (−0.010 ± 0.015)');
    expect(differenceText('avg_pred_boxes', { difference: -1, low: -1.5, high: -0.5, margin: 0.5 }, words)).toBe('1.00 ± 0.50 less');
  });
});
