import { describe, expect, it } from 'vitest';
import { answersOf, commonSteps } from '../../../src/app/compare/answers.ts';
import { lookOf } from '../../../src/app/compare/colours-of-runs.ts';
import { bothSides } from '../../../src/app/compare/completions-of-pair.ts';
import { groupRuns, meanAndRange } from '../../../src/app/compare/groups-of-runs.ts';
import { pairOf } from '../../../src/app/compare/pair-of-runs.ts';
import { sharedCurves } from '../../../src/app/compare/shared-curves.ts';
import { packedHistory } from '../../../src/app/analysis/history.ts';
import { compareRuns } from '../../../src/reports/compare.ts';
import { packRun } from '../../../src/reports/packed-run.ts';
import { makeRun, readRun } from '../reports/logs.ts';

const config = (learning_rate: number, seed: number) => ({ learning_rate, seed, output_dir: `run-${learning_rate}-${seed}` });
const runs = [config(1e-3, 1), config(1e-4, 1), config(1e-3, 2)].map((settings, i) => makeRun(`run ${i}`, [{ step: 1, loss: i }], [], settings));
const { settings, names } = compareRuns(runs);

describe('groups of runs', () => {
  it('put together what differs in the seed and in names only', () => {
    expect(groupRuns(names, settings, { kind: 'seeds' })).toEqual([{ label: 'run 0', members: [0, 2] }, { label: 'run 1', members: [1] }]);
  });

  it('put together what has the same value of a setting', () => {
    expect(groupRuns(names, settings, { kind: 'setting', setting: 'seed' }).map(({ label, members }) => [label, members])).toEqual([['seed = 1', [0, 1]], ['seed = 2', [2]]]);
    expect(groupRuns(names, settings, { kind: 'none' })).toHaveLength(3);
  });

  it('show mean and range, each line inside its own steps only', () => {
    const { series, low, high } = meanAndRange([{ at: [0, 10], values: [0, 10] }, { at: [5, 10, 20], values: [1, null, 4] }]);
    expect(series.at).toEqual([0, 5, 10, 20]);
    expect(series.values).toEqual([0, 3, 6, 4]);
    expect(low).toEqual([0, 1, 2, 4]);
    expect(high).toEqual([0, 5, 10, 4]);
  });
});

describe('looks of runs', () => {
  it('are all different, dashed after eight', () => {
    const looks = Array.from({ length: 40 }, (_, i) => lookOf(i));
    expect(new Set(looks.map(({ paper, dash }) => `${paper} ${dash.join()}`)).size).toBe(40);
    expect([looks[7].dash.length, looks[8].dash.length]).toEqual([0, 2]);
  });
});

describe('shared curves', () => {
  it('meet under one name, whatever the programs call the metric', () => {
    const histories = ['original-sft/training_log.json', 'original-grpo/training_log.json'].map((name) => {
      const { train, validation } = packRun(readRun(name));
      return { train: packedHistory(train), validation: packedHistory(validation) };
    });
    const curves = sharedCurves(histories);
    expect(curves.find(({ name }) => name === 'learning_rate')?.own).toEqual(['learning_rate', 'lr']);
    expect(curves.find(({ name, side }) => name === 'loss' && side === 'validation')?.own).toEqual(['eval_loss', null]);
  });
});

describe('answers', () => {
  const line = (step: number, id: string, answer: string) => JSON.stringify({ step, index: 0, id, prompt: 'p', truth: 't', answer });

  it('come from the file, with boxes, step by step, and pass over what is none', () => {
    const box = '1. 路灯 状态：正常 <box>(10,20),(300,400)</box>';
    const answers = answersOf([line(10, 'a', box), 'no json', '{"step": "x"}', line(2, 'a', 'nothing')].join('\n'), [], null);
    expect([...answers.keys()]).toEqual([2, 10]);
    expect(answers.get(10)?.get('a')?.answerBoxes.map(({ box: corners }) => corners)).toEqual([[10, 20, 300, 400]]);
  });

  it('take the pictures of the last validation for every step', () => {
    const image = new Blob(['x']);
    const preview = { index: 0, id: 'a', prompt: 'p', truth: 't', answer: 'last', truthBoxes: [], answerBoxes: [], before: null, image };
    const answers = answersOf(line(2, 'a', 'early'), [preview], 5);
    expect([answers.get(2)?.get('a')?.image, answers.get(5)?.get('a')?.answer]).toEqual([image, 'last']);
    expect(commonSteps(answers, answersOf(line(2, 'a', 'x'), [], null))).toEqual({ common: [2], last: [5, 2] });
  });
});

describe('two runs beside each other', () => {
  const three = [{ id: 'a' }, { id: 'b' }, { id: 'c' }];

  it('are the wanted ones as far as they are there and differ', () => {
    expect(pairOf(three, ['c', 'a']).map((run) => run?.id)).toEqual(['c', 'a']);
    expect(pairOf(three, ['b', 'b']).map((run) => run?.id)).toEqual(['b', 'a']);
    expect(pairOf(three, ['gone', '']).map((run) => run?.id)).toEqual(['a', 'b']);
    expect(pairOf(three.slice(0, 1), ['', ''])).toEqual([{ id: 'a' }, undefined]);
    expect(pairOf([], ['', ''])).toEqual([undefined, undefined]);
  });

  it('show samples that both drew before those that only one drew', () => {
    const group = (id: string, step = 1) => ({ step, sample: 0, id, prompt: '', truth: '', truthBoxes: [], completions: [] });
    const pairs = bothSides([group('x'), group('y'), group('z')], [group('z', 2), group('w'), group('y')]);
    expect(pairs.map(({ id }) => id)).toEqual(['y', 'z', 'x', 'w']);
    expect(pairs[1].groups.map((one) => one?.step)).toEqual([1, 2]);
    expect(pairs.slice(2).map(({ groups }) => groups.map((one) => one?.id ?? null))).toEqual([['x', null], [null, 'w']]);
    const twice = bothSides([group('x'), group('x')], [group('x', 2)]);
    expect(twice.map(({ groups }) => groups.map((one) => one?.step ?? null))).toEqual([[1, 2], [1, null]]);
  });
});
