import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseLayout } from '../../../src/data/answer-layout.ts';
import type { DatasetSample } from '../../../src/data/dataset.ts';
import { readLlavaRecord } from '../../../src/data/llava.ts';
import type { MediaReference } from '../../../src/data/media-reference.ts';
import { type Perturbation, PERTURBATIONS, makePairs } from '../../../src/data/perturb.ts';
import { readPreferenceRecord } from '../../../src/data/preference.ts';
import { parseAnswer } from '../../../src/objectives/detection-answer.ts';
import type { Media } from '../../../src/protocol/media.ts';
import type { PathFile } from '../../../src/protocol/messages.ts';

const box = (b: number[]) => `<box>(${b[0]},${b[1]}),(${b[2]},${b[3]})</box>`;
type Item = [category: string, status: string, box: number[]];
const lines = (items: Item[]) => `检测到${items.length}个设备：` + items.map(([c, s, b], i) => `\n${i + 1}. ${c}\n   状态：${s}\n   ${box(b)}`).join('');
const inline = (items: Item[]) => items.map(([c, s, b], i) => `${i + 1}. ${c} - 状态：${s} - 位置：${box(b)}`).join('\n');
const blocks = (items: Item[]) => '检测到以下交通设备：\n\n' + items.map(([c, s, b], i) => `${i + 1}. ${c}（路侧）\n   - 状态：${s}\n   - 原因：未知\n   - 位置：${box(b)}`).join('\n\n');
const json = (items: Item[]) => JSON.stringify(items.map(([label, status, bbox_2d]) => ({ bbox_2d, label, status })), null, 1);

const ITEMS: Item[][] = [
  [['路灯', '正常', [100, 100, 300, 400]], ['护栏', '破损', [500, 500, 900, 700]]],
  [['路灯', '不亮', [10, 20, 300, 400]]],
  [['机箱', '异常', [0, 0, 80, 1000]], ['护栏', '正常', [400, 100, 600, 700]], ['路灯', '正常', [700, 0, 1000, 300]]],
];
const NONE = '未检测到相关设备。';
const dropped = (path: string) => ({ path, file: new Blob() });
const withFiles = (reference: MediaReference): Media<PathFile> =>
  reference.kind === 'frames' ? { kind: 'frames', files: reference.paths.map(dropped), fps: reference.fps ?? null } : { kind: reference.kind, file: dropped(reference.path) };

const sample = (answer: string, i = 0): DatasetSample => {
  const { conversation } = readLlavaRecord({ image: `${i}.png`, conversations: [{ from: 'human', value: '<image>\nq' }, { from: 'gpt', value: answer }] });
  return { id: `s${i}`, conversation, media: [{ kind: 'image', file: { path: `${i}.png`, file: new Blob() } }], place: { file: 'a.json', sample: i + 1 } };
};
const samplesOf = (write: (items: Item[]) => string, none = NONE) => [...ITEMS.map(write), none].map(sample);
const all = { seed: 7, kinds: PERTURBATIONS, perSample: 5 };

describe.each([
  ['lines', lines, NONE],
  ['inline', inline, NONE],
  ['blocks', blocks, NONE],
  ['json', json, '[]'],
])('%s', (_name, write, none) => {
  const samples = samplesOf(write, none);
  const made = makePairs(samples, all);
  const pairsOf = (kind: Perturbation) => made.pairs.filter((pair) => pair.kind === kind).map(({ chosen, rejected }) => ({ chosen, rejected, before: values(chosen), after: values(rejected) }));
  const values = (answer: string) => parseLayout(answer)!.items.map((item) => item.values);

  it('makes every kind, five from each answer, of the empty one the only kind there is', () => {
    expect(made.counts).toEqual({ wrong_bbox: 3, wrong_category: 3, wrong_status: 3, missing: 3, extra: 8 });
    expect(made.refused).toEqual([]);
    expect(made.pairs).toHaveLength(20);
    expect(new Set(made.pairs.map(({ id }) => id)).size).toBe(20);
  });

  it('gives answers of the same format that differ from the chosen one and from each other', () => {
    for (const { chosen, rejected, kind } of made.pairs) {
      expect(rejected).not.toBe(chosen);
      const layout = parseLayout(rejected)!;
      expect(layout).not.toBeNull();
      if (layout.items.length === 0) expect(rejected).toBe(none);
      // Written afresh from its values an answer is the same, so nothing but the values has changed.
      else if (kind !== 'extra') expect(rejected).toBe(write(layout.items.map(({ values: v }) => [v.category, v.status!, v.box])));
    }
    expect(new Set(made.pairs.map(({ chosen, rejected }) => chosen + rejected)).size).toBe(20);
  });

  it('moves one box, inside the image and near where it was', () => {
    for (const { before, after } of pairsOf('wrong_bbox')) {
      const changed = after.filter((item, i) => item.box.join() !== before[i].box.join());
      expect(changed).toHaveLength(1);
      after.forEach((item, i) => {
        const [x1, y1, x2, y2] = item.box;
        expect(x1 >= 0 && y1 >= 0 && x1 < x2 && y1 < y2 && x2 <= 1000 && y2 <= 1000).toBe(true);
        expect(Math.max(...item.box.map((x, j) => Math.abs(x - before[i].box[j])))).toBeLessThanOrEqual(150);
        expect([item.category, item.status]).toEqual([before[i].category, before[i].status]);
      });
    }
  });

  it('changes one category, or one status, to another of the dataset', () => {
    for (const [kind, field, known] of [['wrong_category', 'category', ['路灯', '护栏', '机箱']], ['wrong_status', 'status', ['正常', '不亮', '破损', '异常']]] as const) {
      for (const { before, after } of pairsOf(kind)) {
        const changed = after.filter((item, i) => item[field] !== before[i][field]);
        expect(changed).toHaveLength(1);
        expect(known).toContain(changed[0][field]);
        expect(after.map((item) => item.box)).toEqual(before.map((item) => item.box));
      }
    }
  });

  it('prefers statuses that the category has', () => {
    const statuses = Array.from({ length: 20 }, (_, seed) => makePairs(samples.slice(0, 2), { seed, kinds: ['wrong_status'], perSample: 1 }).pairs[1].rejected).map((answer) => values(answer)[0].status);
    expect(new Set(statuses)).toEqual(new Set(['正常']));
  });

  it('leaves one object out, and the others in order', () => {
    for (const { before, after, rejected } of pairsOf('missing')) {
      expect(after).toHaveLength(before.length - 1);
      expect(before.filter((item) => after.some((other) => JSON.stringify(other) === JSON.stringify(item)))).toEqual(after);
      if (before.length === 1) expect(rejected).toBe(none);
    }
  });

  it('adds one object, also where there is none', () => {
    for (const { before, after } of pairsOf('extra')) {
      expect(after).toHaveLength(before.length + 1);
      expect(after.slice(0, -1)).toEqual(before);
    }
  });

  it('is the same for the same seed and other for another', () => {
    expect(makePairs(samples, all)).toEqual(made);
    expect(makePairs(samples, { ...all, seed: 8 }).pairs).not.toEqual(made.pairs);
  });
});

it('keeps counts and numbers true', () => {
  const { pairs } = makePairs(samplesOf(lines), { seed: 1, kinds: ['missing', 'extra'], perSample: 2 });
  expect(pairs).toHaveLength(8);
  for (const { rejected } of pairs) if (rejected !== NONE) expect(parseAnswer(rejected)).toMatchObject({ format: 'lines', wellFormed: true });
});

it('makes as many pairs as asked for, of the kinds asked for, going round again', () => {
  const { pairs } = makePairs(samplesOf(lines).slice(0, 1), { seed: 1, kinds: ['wrong_bbox'], perSample: 6 });
  expect(pairs.map(({ kind }) => kind)).toEqual(new Array(6).fill('wrong_bbox'));
  expect(new Set(pairs.map(({ rejected }) => rejected)).size).toBe(6);
  const missing = makePairs(samplesOf(lines).slice(0, 1), { seed: 1, kinds: ['missing'], perSample: 6 });
  expect(missing.pairs).toHaveLength(2);
});

it('says from which samples no pair was made, and why', () => {
  const samples = ['A lamp.', NONE, lines([['路灯', '正常', [1, 2, 3, 4]]]), '1. 路灯 without a box', '1. 路灯\n<box>(1,2),(3,4)</box><box>(1,2),(3,5)</box>'].map(sample);
  const { pairs, refused } = makePairs(samples, { seed: 1, kinds: ['wrong_category', 'wrong_status', 'missing'], perSample: 1 });
  expect(pairs.map(({ id, kind }) => [id, kind])).toEqual([['s2/1', 'missing']]);
  expect(refused.map(({ id, reason }) => [id, reason])).toEqual([
    ['s0', 'unknown-format'],
    ['s1', 'no-kind-applies'],
    ['s3', 'unknown-format'],
    ['s4', 'unknown-format'],
  ]);
  expect(refused[0].place).toEqual({ file: 'a.json', sample: 1 });
  expect(makePairs([], all).pairs).toEqual([]);
});

describe('records', () => {
  const answer = lines(ITEMS[0]);
  const turns = (...values: string[]) => values.map((value, i) => ({ from: i % 2 === 0 ? 'human' : 'gpt', value }));

  it.each<[string, object]>([
    ['one image in front', { image: 'a', conversations: turns('<image>\nq', answer) }],
    ['a question that begins with line breaks', { image: 'a', conversations: turns('<image>\n\n\nq', answer) }],
    ['two images in front', { images: ['a', 'b'], conversations: turns('<image><image>q', answer) }],
    ['no image', { conversations: turns('q', answer) }],
    ['an image in the middle', { image: 'a', conversations: turns('x\n\n<image>y', answer) }],
    ['an image at the end', { image: 'a', conversations: turns('x<image>', answer) }],
    ['several turns', { image: 'a', conversations: turns('<image>\nhow many?', 'two', 'which?', answer) }],
    ['a clip', { video: 'a.mp4', conversations: turns('<video>\nq', answer) }],
    ['frames with their speed between texts', { videos: [{ video: ['1.png', '2.png'], fps: 4 }, ['3.png']], conversations: turns('x<video>y<video>z', answer) }],
    ['a clip before a picture', { image: 'a', video: 'b.mp4', conversations: turns('<video><image>q', answer) }],
    ['a system turn', { image: 'a', system: 's', conversations: turns('<image>q', answer) }],
  ])('give back the conversation: %s', (_what, record) => {
    const { conversation, media } = readLlavaRecord(record);
    const made = makePairs([{ id: 'x', conversation, media: media.map(withFiles), place: {} }], { seed: 1, kinds: ['missing'], perSample: 1 });
    expect(readPreferenceRecord(JSON.parse(JSON.stringify(made.pairs[0])))).toMatchObject({ conversation, media });
  });

  it('have the fields of the plain format where it is enough', () => {
    const [pair] = makePairs([sample(answer)], { seed: 1, kinds: ['missing'], perSample: 1 }).pairs;
    expect(Object.keys(pair)).toEqual(['id', 'image', 'prompt', 'chosen', 'rejected', 'kind']);
    expect(pair.prompt).toBe('q');
  });
});

describe('spelling', () => {
  it.each([
    '[{"bbox_2d": [1, 2, 3, 4], "label": "a"}, {"bbox_2d": [5, 6, 7, 8], "label": "b"}]',
    '```json\n[\n\t{"bbox_2d": [1, 2, 3, 4], "label": "a \\"x\\""},\n\t{"bbox_2d": [5, 6, 7, 8], "label": "b"}\n]\n```',
    'Found:\n1. lamp (<box>(1,2),(3,4)</box>)\n2. fence (<box>(1,2),(3,4)</box>)',
  ])('of everything that does not change is kept: %s', (answer) => {
    const { pairs } = makePairs([sample(answer)], { seed: 3, kinds: ['wrong_category'], perSample: 2 });
    expect(pairs).toHaveLength(2);
    const mask = (text: string) => text.replaceAll(/"a(?: \\"x\\")?"|"b"|lamp|fence/g, '?');
    for (const { rejected } of pairs) expect(mask(rejected)).toBe(mask(answer));
  });

  it('of uneven lists is left alone', () => {
    const items = ITEMS[2].map(([c, s, b], i) => `${i + 1}. ${c} - 状态：${s} - 位置：${box(b)}`);
    expect(parseLayout(`${items[0]}\n${items[1]}\n\n${items[2]}`)).toBeNull();
  });

  it('may be hostile', () => {
    const start = performance.now();
    for (const text of ['{"bbox":'.repeat(12_000), '1. '.repeat(30_000), '\n1. a -'.repeat(14_000), `1. a${' '.repeat(90_000)}`, `状态：${' -'.repeat(40_000)}`, '['.repeat(99_000), 'x'.repeat(200_000)]) parseLayout(text);
    expect(performance.now() - start).toBeLessThan(3000);
  });
});

it('makes pairs from every answer of the demo', () => {
  const records = JSON.parse(readFileSync(new URL('../../../public/demo/data/sft_train.json', import.meta.url), 'utf8')) as object[];
  const samples = records.map((record, i) => ({ id: `${i}`, conversation: readLlavaRecord(record, { keepImageNewline: true }).conversation, media: [], place: {} }));
  const { pairs, counts, refused } = makePairs(samples, { ...all, perSample: 1 });
  expect([pairs.length, refused.length]).toEqual([320, 0]);
  for (const kind of PERTURBATIONS) expect(counts[kind]).toBeGreaterThan(40);
});
