import { readdirSync, readFileSync } from 'node:fs';
import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { checkBoxes } from '../../../src/data/boxes.ts';
import { type Dataset, type DatasetOptions, previewSample, readDataset, splitDataset } from '../../../src/data/dataset.ts';
import { normalizePath } from '../../../src/data/paths.ts';
import { filesOf } from '../../../src/protocol/media.ts';
import type { PathFile } from '../../../src/protocol/messages.ts';
import { Processor } from '../../../src/processing/processor.ts';
import { demoArchitecture, demoSideFiles, readJson } from '../processing/fixtures.ts';

const options = { kind: 'conversations', validationSplit: 0, seed: 1 } as const;
const file = (path: string, content: BlobPart = 'pixels'): PathFile => ({ path, file: new Blob([content]) });
const json = (path: string, ...records: unknown[]) => file(path, JSON.stringify(records));
const record = (image?: string, answer = 'yes', extra = {}) => ({
  ...(image && { image }),
  conversations: [
    { from: 'human', value: image ? '<image>\nq' : 'q' },
    { from: 'gpt', value: answer },
  ],
  ...extra,
});
/** Files that no sample uses have a test of their own. */
const readSet = async (source: { train: PathFile[]; validation: PathFile[] }, wanted: DatasetOptions): Promise<Dataset> => {
  const dataset = await readDataset(source, wanted);
  const problems = dataset.problems.filter(({ message }) => !message.includes('used by no sample'));
  return { ...dataset, problems, problemCount: dataset.problemCount - (dataset.problems.length - problems.length) };
};
const read = (...train: PathFile[]) => readSet({ train, validation: [] }, options);
const messages = (dataset: { problems: { message: string }[] }) => dataset.problems.map((problem) => problem.message);

describe('finding files', () => {
  it('normalises paths', () => {
    expect(['./a//b\\c.png', '/a/b', 'C:\\x\\y.png', '../../a', 'a/../b', 'e\u0301.png', ''].map(normalizePath)).toEqual(['a/b/c.png', 'a/b', 'x/y.png', 'a', 'b', '\u00e9.png', '']);
  });

  it.each([
    ['beside the file', 'set/train.json', 'images/1.png', ['set/images/1.png', 'other/images/1.png'], 'set/images/1.png'],
    ['from the top', 'set/train.json', 'pool/1.png', ['pool/1.png', 'x/1.png'], 'pool/1.png'],
    ['one folder up', 'set/train.json', '../pool/1.png', ['pool/1.png', 'set/1.png'], 'pool/1.png'],
    ['loose files', 'train.json', 'images/1.png', ['1.png'], '1.png'],
    ['absolute path of another machine', 'train.json', '/home/me/data/images/1.png', ['set/images/1.png', 'set/thumbs/1.png'], 'set/images/1.png'],
    ['Windows path', 'train.json', 'D:\\data\\images\\1.png', ['images/1.png'], 'images/1.png'],
    ['decomposed letters', 'train.json', 'e\u0301.png', ['\u00e9.png'], '\u00e9.png'],
  ])('%s', async (_what, recordFile, reference, images, expected) => {
    const dataset = await read(json(recordFile, record(reference)), ...images.map((path) => file(path)));
    expect(messages(dataset)).toEqual([]);
    expect(dataset.train[0].media.map((medium) => filesOf(medium)[0].path)).toEqual([expected]);
  });

  it('says when only the name agrees', async () => {
    const dataset = await read(json('train.json', record('a/1.png'), record('a/1.png')), file('b/1.png'));
    expect(dataset.train).toHaveLength(2);
    expect(messages(dataset)).toEqual([expect.stringMatching(/^2 images or videos were found by their file name only/)]);
  });

  it.each([
    ['missing', 'images/2.png', [file('images/1.png')], /images\/2\.png is not among the dropped files/],
    ['ambiguous', '1.png', [file('a/1.png'), file('b/1.png')], /could be 2 files: a\/1\.png, b\/1\.png/],
    ['empty', '1.png', [file('1.png', '')], /1\.png is empty/],
    ['on the web', 'https://example.org/1.png', [], /is an address, not a file/],
    ['inline', 'data:image/png;base64,AAAA', [], /is an address, not a file/],
    ['nameless', '/', [], /is not among the dropped files/],
  ])('%s image', async (_what, reference, images, message) => {
    const dataset = await read(json('train.json', record(), record(reference)), ...images);
    expect(dataset.train).toHaveLength(1);
    expect(dataset.rejected).toBe(1);
    expect(dataset.problems).toEqual([expect.objectContaining({ level: 'error', file: 'train.json', sample: 2, field: 'image', message: expect.stringMatching(message) })]);
  });

  it('does not choose between files with the same path', async () => {
    const dataset = await read(json('train.json', record('1.png'), record('2.png')), file('1.png'), file('./1.png'), file('2.png'));
    expect(dataset.train).toHaveLength(1);
    expect(dataset.problems).toEqual([
      expect.objectContaining({ level: 'error', sample: 1, message: expect.stringMatching(/could be 2 files/) }),
      expect.objectContaining({ level: 'warning', file: '1.png', message: 'Several files have this path.' }),
    ]);
  });

  it('opens archives beside loose files', async () => {
    const zip = zipSync({ 'images/1.png': new Uint8Array(3), 'train.jsonl': new TextEncoder().encode(JSON.stringify(record('images/1.png'))), 'readme.md': new Uint8Array(1) });
    const dataset = await read(file('d.zip', zip as Uint8Array<ArrayBuffer>), json('more.json', record('images/1.png')));
    expect(dataset.train.map((sample) => [sample.place.file, filesOf(sample.media[0])[0].path])).toEqual([
      ['d.zip/train.jsonl', 'd.zip/images/1.png'],
      ['more.json', 'd.zip/images/1.png'],
    ]);
    expect(dataset.images).toBe(1);
    expect(messages(dataset)).toEqual([expect.stringMatching(/^1 files are neither .*d\.zip\/readme\.md/)]);
  });

  it('reports a broken archive and goes on', async () => {
    const dataset = await read(file('d.zip', 'nonsense'), json('train.json', record()));
    expect(dataset.train).toHaveLength(1);
    expect(dataset.problems[0]).toMatchObject({ level: 'error', file: 'd.zip' });
  });
});

describe('record files', () => {
  const good = JSON.stringify(record());

  it.each([
    ['JSONL', 'a.jsonl', `${good}\n${good}\n`],
    ['JSONL with Windows line ends and blank lines', 'a.jsonl', `${good}\r\n\r\n${good}`],
    ['JSONL named .json', 'a.json', `${good}\n${good}`],
    ['JSON named .jsonl', 'a.jsonl', `[\n${good},\n${good}\n]`],
    ['byte order mark', 'a.json', `\ufeff[${good},${good}]`],
  ])('%s', async (_what, path, content) => {
    const dataset = await read(file(path, content));
    expect(messages(dataset)).toEqual([]);
    expect(dataset.train).toHaveLength(2);
  });

  it('names the broken line and keeps the others', async () => {
    const dataset = await read(file('a.jsonl', `${good}\n{"broken": \n\n${good}`));
    expect(dataset.train.map((sample) => sample.place)).toEqual([
      { file: 'a.jsonl', line: 1, sample: 1 },
      { file: 'a.jsonl', line: 4, sample: 3 },
    ]);
    expect(dataset.rejected).toBe(1);
    expect(dataset.problems).toEqual([expect.objectContaining({ level: 'error', file: 'a.jsonl', line: 2, sample: 2, message: expect.stringMatching(/^Line 2 is not valid JSON/) })]);
  });

  it.each([
    ['0 bytes', 'a.json', '', /file is empty/],
    ['white space', 'a.jsonl', '\n \n', /file is empty/],
    ['truncated', 'a.json', `[${good},\n${good.slice(0, -5)}`, /not valid JSON/],
    ['NaN', 'a.json', '[{"id": NaN}]', /not valid JSON/],
    ['an object', 'a.json', '{"a": 1}', /no list of samples/],
    ['a number', 'a.json', '12', /no list of samples/],
    ['an empty list', 'a.json', '[]', /holds no samples/],
    ['not UTF-8', 'a.json', new Uint8Array([0x5b, 0xff, 0xfe, 0x5d]), /not UTF-8/],
  ])('%s', async (_what, path, content, message) => {
    const dataset = await read(file(path, content as BlobPart));
    expect(dataset.train).toEqual([]);
    expect(dataset.problems).toEqual([expect.objectContaining({ level: 'error', file: path, message: expect.stringMatching(message) })]);
  });

  it('finds the line where an array is cut off', async () => {
    const dataset = await read(file('a.json', `[\n${good},\n{"id":`));
    expect(dataset.problems[0].line).toBe(3);
  });

  it('survives hostile records', async () => {
    const hostile = ['null', '[]', '"x"', '{"__proto__": {"image": "x"}}', '{"id": 1e999, "conversations": []}', '['.repeat(20_000) + ']'.repeat(20_000), '{"conversations": [{"from": "human"}]}'];
    const dataset = await read(file('a.jsonl', [...hostile, good].join('\n')));
    expect(dataset.train).toHaveLength(1);
    expect(dataset.rejected).toBe(hostile.length);
    expect(dataset.problems.map((problem) => problem.line)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it('lists 200 problems and counts all', async () => {
    const dataset = await read(file('a.jsonl', '{}\n'.repeat(500) + good));
    expect(dataset.problems).toHaveLength(200);
    expect(dataset.problemCount).toBe(500);
    expect(dataset.rejected).toBe(500);
  });

  it('leaves out preference files as a whole', async () => {
    const dataset = await read(json('dpo.json', { prompt: 'q', chosen: 'a', rejected: 'b' }), json('sft.json', record()));
    expect(dataset.train).toHaveLength(1);
    expect(dataset.rejected).toBe(0);
    expect(dataset.problems).toEqual([expect.objectContaining({ level: 'warning', file: 'dpo.json' })]);
  });

  it('says when nothing was found', async () => {
    const dataset = await read(file('notes.txt'));
    expect(messages(dataset)).toEqual([expect.stringMatching(/no file with training samples/), expect.stringMatching(/notes\.txt/)]);
  });
});

describe('samples', () => {
  it('warns of ids used twice and makes up missing ones', async () => {
    const dataset = await read(json('train.json', record(undefined, 'a', { id: 'x' }), record(undefined, 'a', { id: 'x' }), record()));
    expect(dataset.train.map((sample) => sample.id)).toEqual(['x', 'x', 'train.json#3']);
    expect(dataset.problems).toEqual([expect.objectContaining({ level: 'warning', sample: 2, field: 'id', message: 'The id "x" was used before, by sample 1 of train.json.' })]);
  });

  it.each([
    ['<box>(0,0),(1000,1000)</box>', null],
    ['(5,5),(1,1) without mark', null],
    ['[{"bbox_2d": [1, 2.5, 3, 4], "label": "x"}]', null],
    ['<box>(0,0),(1001,10)</box>', /lies outside 0…1000/],
    ['<box>(-1,0),(10,10)</box>', /lies outside 0…1000/],
    ['<box>(10,0),(10,10)</box>', /has no area/],
    ['<|box_start|>(9,9),(8,10)<|box_end|>', /has no area/],
    ['[{"bbox_2d": [1, 2, 3], "label": "x"}]', /not made of four numbers/],
    ['<box>a cat</box>', /not made of four numbers/],
    [`<box>(0,0),(${'9'.repeat(150)},1)</box>`, /lies outside 0…1000/],
  ])('box %s', async (answer, message) => {
    const dataset = await read(json('train.json', record(undefined, answer)));
    expect(dataset.train).toHaveLength(message ? 0 : 1);
    expect(dataset.problems).toEqual(message ? [expect.objectContaining({ level: 'error', sample: 1, message: expect.stringMatching(message) })] : []);
  });

  it('boxes that count pixels have no upper limit, but an area', () => {
    expect(checkBoxes('[{"bbox_2d": [12, 30, 1910, 1060], "label": "x"}]', 'pixels')).toEqual([]);
    expect(checkBoxes('<box>(-1,0),(10,10)</box><box>(5,5),(5,9)</box>', 'pixels').map(({ message }) => message)).toEqual([
      expect.stringMatching(/outside the image/),
      expect.stringMatching(/no area/),
    ]);
  });

  it('reports every bad box but rejects the sample once', async () => {
    const dataset = await read(json('train.json', record(undefined, '<box>(5,5),(1,1)</box><box>(0,0),(2000,1)</box>')));
    expect(dataset.problemCount).toBe(2);
    expect(dataset.rejected).toBe(1);
  });

  it('previews turns and boxes', async () => {
    const { train } = await read(json('train.json', record('1.png', '检测到1个设备：\n1. 路灯\n   状态：正常\n   <box>(1,2),(3,4)</box>', { system: 's' })), file('1.png'));
    expect(previewSample(train[0])).toEqual({
      turns: [
        { role: 'system', text: 's' },
        { role: 'user', text: 'q' },
        { role: 'assistant', text: expect.stringContaining('路灯') },
      ],
      boxes: [{ box: [1, 2, 3, 4], label: '路灯（正常）' }],
    });
  });
});

describe('preference sets', () => {
  const pair = (changes: object = {}) => ({ image: '1.png', prompt: 'q', chosen: 'good', rejected: 'bad', ...changes });
  const readPairs = (...train: PathFile[]) => readSet({ train, validation: [] }, { ...options, kind: 'preference' });

  it('gives the chosen answer, the rejected one and the other columns', async () => {
    const dataset = await readPairs(json('pairs.json', pair({ kind: 'missing', score: 2 })), file('1.png'));
    expect(messages(dataset)).toEqual([]);
    expect(dataset.kind).toBe('preference');
    expect(dataset.train[0]).toMatchObject({ extra: { kind: 'missing', score: 2 }, media: [{ kind: 'image', file: { path: '1.png' } }], rejected: { role: 'assistant' } });
    expect(previewSample(dataset.train[0])).toEqual({
      turns: [
        { role: 'user', text: 'q' },
        { role: 'assistant', text: 'good' },
      ],
      boxes: [],
      rejected: { text: 'bad', boxes: [] },
    });
  });

  it('checks the boxes of the chosen answer; the rejected one may be wrong on purpose', async () => {
    const [outside, inside] = ['<box>(0,0),(1001,10)</box>', '<box>(0,0),(10,10)</box>'];
    const dataset = await readPairs(json('pairs.json', pair({ chosen: outside }), pair({ chosen: inside, rejected: outside })), file('1.png'));
    expect(dataset.train).toHaveLength(1);
    expect(dataset.problems).toEqual([expect.objectContaining({ level: 'error', sample: 1, field: 'chosen', message: expect.stringMatching(/lies outside/) })]);
  });

  it('names file, line, sample and field of a bad pair and keeps the others', async () => {
    const dataset = await readPairs(file('pairs.jsonl', [pair(), pair({ rejected: 'good' }), pair({ rejected: undefined })].map((r) => JSON.stringify(r)).join('\n')), file('1.png'));
    expect([dataset.train.length, dataset.rejected]).toEqual([1, 2]);
    expect(dataset.problems).toEqual([
      expect.objectContaining({ level: 'error', code: 'dataset', file: 'pairs.jsonl', line: 2, sample: 2, field: 'rejected', message: expect.stringMatching(/the same/) }),
      expect.objectContaining({ level: 'error', code: 'dataset', file: 'pairs.jsonl', line: 3, sample: 3, field: 'rejected', message: expect.stringMatching(/no rejected/) }),
    ]);
  });

  it('names a file without pairs once', async () => {
    const dataset = await readPairs(json('sft.json', record(), record()), json('pairs.json', pair()), file('1.png'));
    expect([dataset.train.length, dataset.rejected]).toEqual([1, 2]);
    expect(dataset.problems).toEqual([expect.objectContaining({ level: 'error', file: 'sft.json', field: 'rejected', message: expect.stringMatching(/no preference pairs/), advice: expect.stringMatching(/pair maker/) })]);
  });
});

describe('sets of prompts', () => {
  const readPrompts = (...train: PathFile[]) => readSet({ train, validation: [] }, { ...options, kind: 'prompts' });

  it('reads prompts with and without a truth, saying so once per file', async () => {
    const dataset = await readPrompts(json('a.json', { prompt: 'q', solution: 'a', level: 3 }, { prompt: 'q' }, { prompt: 'r' }), json('b.json', record()));
    expect(dataset.train.map(({ conversation }) => conversation.length)).toEqual([2, 1, 1, 2]);
    expect(dataset.train[0].extra).toEqual({ level: 3 });
    expect(dataset.train[3]).not.toHaveProperty('extra');
    expect(dataset.problems).toEqual([expect.objectContaining({ level: 'warning', file: 'a.json', message: '2 samples have no true answer.' })]);
    expect(dataset.rejected).toBe(0);
  });

  it('leaves out pairs as a whole', async () => {
    const dataset = await readPrompts(json('dpo.json', { prompt: 'q', chosen: 'a', rejected: 'b' }), json('b.json', record()));
    expect(dataset.train).toHaveLength(1);
    expect(dataset.problems).toEqual([expect.objectContaining({ level: 'warning', file: 'dpo.json' })]);
  });

  it('checks the boxes of the truth', async () => {
    const dataset = await readPrompts(json('a.json', { prompt: 'q', solution: '<box>(0,0),(1001,10)</box>' }));
    expect(dataset.problems).toEqual([expect.objectContaining({ level: 'error', sample: 1 })]);
  });

  it('hands on hostile columns as plain data', async () => {
    const dataset = await readPrompts(file('a.json', '[{"prompt": "q", "__proto__": {"polluted": 1}}]'));
    expect(Object.getPrototypeOf(dataset.train[0].extra)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

describe('train and validation', () => {
  const named = async (...paths: string[]) => {
    const dataset = await read(...paths.map((path) => json(path, record())));
    return { train: dataset.train.map((s) => s.place.file), validation: dataset.validation.map((s) => s.place.file), problems: dataset.problemCount };
  };

  it('goes by names', async () => {
    expect(await named('train.json', 'val.json')).toEqual({ train: ['train.json'], validation: ['val.json'], problems: 0 });
    expect(await named('sft_train.json', 'sft_validation.jsonl')).toMatchObject({ train: ['sft_train.json'] });
    expect(await named('train/a.json', 'dev/a.json')).toMatchObject({ train: ['train/a.json'], validation: ['dev/a.json'] });
    expect(await named('train.json', 'test.json')).toMatchObject({ validation: ['test.json'], problems: 0 });
    expect(await named('train.json', 'val.json', 'test.json')).toMatchObject({ train: ['train.json'], validation: ['val.json'], problems: 1 });
    expect(await named('latest.json', 'evaluations.json', 'interval.json')).toMatchObject({ validation: [], problems: 0 });
  });

  it('takes everything in the validation zone, with images from either zone', async () => {
    const dataset = await readSet({ train: [json('a.json', record('1.png')), file('1.png')], validation: [json('b.json', record('1.png'), record('2.png')), file('2.png')] }, options);
    expect(dataset.validation.map((sample) => filesOf(sample.media[0])[0].path)).toEqual(['1.png', '2.png']);
    expect(dataset.problemCount).toBe(0);
  });

  it('keeps a part aside only without validation data', async () => {
    const records = Array.from({ length: 20 }, (_, i) => record(undefined, `a${i}`, { id: i }));
    const split = await readDataset({ train: [json('a.json', ...records)], validation: [] }, { ...options, validationSplit: 0.25, seed: 3 });
    expect([split.train.length, split.validation.length]).toEqual([15, 5]);
    const again = await readDataset({ train: [json('a.json', ...records)], validation: [] }, { ...options, validationSplit: 0.25, seed: 3 });
    expect(again.validation.map((s) => s.id)).toEqual(split.validation.map((s) => s.id));
    expect(splitDataset(split.train, 0.2, 4).validation.map((s) => s.id)).not.toEqual(splitDataset(split.train, 0.2, 5).validation.map((s) => s.id));
    const given = await readDataset({ train: [json('a.json', ...records), json('val.json', record())], validation: [] }, { ...options, validationSplit: 0.25, seed: 3 });
    expect([given.train.length, given.validation.length]).toEqual([20, 1]);
    expect(splitDataset(split.train.slice(0, 1), 0.9, 1).validation).toEqual([]);
    expect(splitDataset(split.train.slice(0, 2), 0.9, 1).validation).toHaveLength(1);
  });
});

describe('the demo dataset', async () => {
  const root = new URL('../../../public/demo/data/', import.meta.url);
  const files = ['sft_train.json', 'sft_val.json', 'dpo_train.json', 'dpo_val.json', ...readdirSync(new URL('images', root)).map((name) => `images/${name}`)].map((path) => file(path, readFileSync(new URL(path, root))));

  it('has pairs for preference training, and answers for prompts', async () => {
    const pairs = await readSet({ train: files.filter(({ path }) => !path.startsWith('sft')), validation: [] }, { ...options, kind: 'preference', keepImageNewline: true });
    expect(pairs.problems).toEqual([]);
    expect([pairs.train.length, pairs.validation.length, pairs.images]).toEqual([192, 48, 240]);
    expect(pairs.train[0].conversation[0].content).toEqual([{ type: 'image', index: 0 }, { type: 'text', text: expect.stringMatching(/^\n检测/) }]);
    expect(pairs.train[0].extra).toEqual({ kind: 'status' });
    const prompts = await readSet({ train: files.filter(({ path }) => !path.startsWith('dpo')), validation: [] }, { ...options, kind: 'prompts' });
    expect([prompts.train.length, prompts.validation.length, prompts.problemCount]).toEqual([320, 64, 0]);
  });

  it('is read without errors and encodes to the reference tokens', async () => {
    const dataset = await readSet({ train: files, validation: [] }, { ...options, keepImageNewline: true });
    expect(dataset.problems.map(({ level, file }) => [level, file]).sort()).toEqual([
      ['warning', 'dpo_train.json'],
      ['warning', 'dpo_val.json'],
    ]);
    expect([dataset.train.length, dataset.validation.length, dataset.images]).toEqual([320, 64, 384]);
    const processor = await Processor.fromFiles(demoSideFiles, demoArchitecture());
    const references = readJson('demo/recipe/reference.json').filter((c: { prompt: string }) => c.prompt.startsWith('\n'));
    expect(references).toHaveLength(4);
    for (const reference of references) {
      const sample = dataset.validation.find((s) => filesOf(s.media[0])[0].path === reference.image)!;
      const encoded = await processor.encodeSample(sample, { maxLength: 512, maxImageSize: 0, assistantTurns: 'all' });
      const newline = processor.tokenizer.encode('\n');
      expect([...encoded.inputIds]).toEqual([...reference.input_ids, ...reference.answer_ids, ...newline]);
      expect([...encoded.labels].filter((label) => label >= 0)).toEqual([...reference.answer_ids, ...newline]);
    }
  });
});

describe('the demo dataset with video', async () => {
  const root = new URL('../../../public/demo/video/', import.meta.url);
  const folders = readdirSync(new URL('clips', root));
  const frames = folders.flatMap((folder) => readdirSync(new URL(`clips/${folder}`, root)).map((name) => `clips/${folder}/${name}`));
  const files = ['sft_train.json', 'sft_val.json', ...frames].map((path) => file(path, readFileSync(new URL(path, root))));

  it('is read whole, and each clip becomes time-stamped tokens that fit beside its answer', async () => {
    const dataset = await readDataset({ train: files, validation: [] }, { ...options, keepImageNewline: true });
    expect(dataset.problems).toEqual([]);
    expect([dataset.train.length, dataset.validation.length, dataset.videos, dataset.images]).toEqual([40, 12, 52, 0]);
    const [sample] = dataset.train;
    expect(sample.media).toEqual([{ kind: 'frames', fps: 2, files: Array.from({ length: 6 }, (_, i) => expect.objectContaining({ path: `clips/001/${i + 1}.png` })) }]);
    const processor = await Processor.fromFiles(demoSideFiles, demoArchitecture());
    const encoded = await processor.encodeSample(sample, { maxLength: 512, maxImageSize: 0, assistantTurns: 'all' });
    expect(encoded.media).toMatchObject([{ kind: 'video', grid: [3, expect.any(Number), expect.any(Number)] }]);
    expect(encoded.visionRows.length).toBeGreaterThan(0);
    expect(await encoded.pixels(0)).toHaveLength(6);
  });
});
