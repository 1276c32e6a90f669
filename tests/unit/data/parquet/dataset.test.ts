import { describe, expect, it } from 'vitest';
import { type Dataset, type DatasetOptions, openDataset, readDataset } from '../../../../src/data/dataset.ts';
import { guessMapping } from '../../../../src/data/guess-mapping.ts';
import { answerOf, messageText, promptOf } from '../../../../src/processing/conversation.ts';
import { filesOf } from '../../../../src/protocol/media.ts';
import { bytesOf, fixture } from './fixture.ts';

const load = (names: readonly string[], options: Partial<DatasetOptions> = {}) => readDataset({ train: names.map((name) => fixture(name)), validation: [] }, { kind: 'conversations', validationSplit: 0, seed: 1, ...options });
const mediaOf = ({ train }: Dataset) => train.map(({ media }) => media.flatMap((medium) => filesOf(medium).map(({ path }) => path)));
const SHARDS = ['data/train-00000-of-00002.parquet', 'data/train-00001-of-00002.parquet', 'data/validation-00000-of-00001.parquet'];

describe('datasets in parquet', () => {
  it('come in shards whose names decide the split', async () => {
    const set = await load(SHARDS);
    expect(set.problems).toEqual([]);
    expect(set.train.map(({ place }) => place)).toEqual([1, 2, 3].map((sample) => ({ file: SHARDS[0], sample })).concat([1, 2, 3].map((sample) => ({ file: SHARDS[1], sample }))));
    expect(set.validation.map(({ conversation }) => answerOf(conversation))).toEqual(['device 6 路灯', 'device 7 路灯']);
    expect(mediaOf(set)[4]).toEqual([`${SHARDS[1]}/row-2.png`]);
    expect({ images: set.images, rejected: set.rejected }).toEqual({ images: 8, rejected: 0 });
  });

  it('are read as Hugging Face’s own library writes them', async () => {
    const set = await load(['datasets.parquet']);
    expect(set.problems).toEqual([]);
    expect(set.train.map(({ conversation, extra }) => [answerOf(conversation), extra])).toEqual([['a0', { kind: 'lamp' }], ['a1', { kind: 'sign' }], ['a2', { kind: 'lamp' }]]);
    expect(mediaOf(set)).toEqual([[], ['datasets.parquet/row-2.png'], ['datasets.parquet/row-3.png', 'datasets.parquet/row-3-2.png']]);
  });

  it('give the same pictures however often they are read', async () => {
    const files = await openDataset({ train: [fixture('messages.parquet')], validation: [] });
    const read = () => readDataset(files, { kind: 'conversations', validationSplit: 0, seed: 1 });
    const [first, second] = [await read(), await read()];
    expect(mediaOf(first)).toEqual([['messages.parquet/row-1.png', 'messages.parquet/row-1-2.png'], [], ['messages.parquet/row-3.png']]);
    expect(second.train.flatMap(({ media }) => media.flatMap(filesOf)).every((file, i) => file === first.train.flatMap(({ media }) => media.flatMap(filesOf))[i])).toBe(true);
  });

  it('hold preference pairs and prompts', async () => {
    const pairs = await load(['preference.parquet'], { kind: 'preference' });
    expect(pairs.train.map(({ conversation, rejected }) => [answerOf(conversation), messageText(rejected!)])).toEqual([['good', 'bad'], ['good', 'bad']]);
    expect(pairs.problems).toEqual([]);
    expect((await load([SHARDS[2]], { kind: 'prompts' })).train.map(({ conversation }) => messageText(promptOf(conversation)[0]).trim())).toEqual(['What is in picture 6?', 'What is in picture 7?']);
  });

  it('hold pictures with classes, which are asked for by their names', async () => {
    const set = await load(['classes.parquet']);
    expect(set.problems).toEqual([]);
    expect(set.train.map(({ conversation }) => answerOf(conversation))).toEqual(['lamp', 'sign', 'camera', 'lamp']);
    expect(messageText(promptOf(set.train[0].conversation)[0])).toContain('lamp, sign, camera');
  });

  it('hold pictures with boxes, whose categories have the names of the note', async () => {
    const set = await load(['detection.parquet']);
    expect(set.problems).toEqual([]);
    expect(set.annotations).toEqual(['Hugging Face']);
    expect(set.train.map(({ conversation }) => answerOf(conversation))).toEqual([
      '[{"bbox_2d": [62, 125, 375, 333], "label": "lamp"}, {"bbox_2d": [625, 167, 719, 333], "label": "sign"}]',
      '[]',
      '[{"bbox_2d": [500, 500, 1000, 1000], "label": "sign"}]',
    ]);
    expect(mediaOf(set)).toEqual([1, 2, 3].map((row) => [`detection.parquet/row-${row}.png`]));
  });

  it('have columns that nobody knows guessed, like tables', async () => {
    const { unknown, errorCount } = await load(['unknown-columns.parquet']);
    expect(errorCount).toBe(1);
    expect(unknown[0]).toMatchObject({ file: 'unknown-columns.parquet', columns: ['photo', 'frage', 'antwort', 'when'], rows: 3 });
    const mapping = guessMapping(unknown[0].columns, unknown[0].first);
    expect(mapping).toEqual({ prompt: 'frage', answer: 'antwort', image: 'photo', boxes: null });
    const set = await load(['unknown-columns.parquet'], { choices: { mappings: { 'unknown-columns.parquet': mapping } } });
    expect(set.train.map(({ conversation }) => answerOf(conversation))).toEqual(['Gerät 0', 'Gerät 1', 'Gerät 2']);
    expect(mediaOf(set)[2]).toEqual(['unknown-columns.parquet/row-3.png']);
  });

  it('may name pictures that were dropped beside them', async () => {
    const image = { path: 'images/a.png', file: new Blob([bytesOf('none.parquet')]) };
    const set = await readDataset({ train: [fixture('paths-only.parquet'), image], validation: [] }, { kind: 'conversations', validationSplit: 0, seed: 1 });
    expect(mediaOf(set)).toEqual([['images/a.png']]);
    expect((await load(['paths-only.parquet'])).problems[0]).toMatchObject({ code: 'file-missing', file: 'paths-only.parquet', sample: 1 });
  });

  it('show their first rows before the rest is read', async () => {
    const set = await load(['many-groups.parquet'], { head: 5 });
    expect(set.train).toHaveLength(5);
    expect((await load(['many-groups.parquet'])).train).toHaveLength(40);
  });

  it('lose a shard that is cut off, and say so', async () => {
    const cut = fixture(SHARDS[1], bytesOf(SHARDS[1]).slice(0, 9000));
    const set = await readDataset({ train: [fixture(SHARDS[0]), cut], validation: [] }, { kind: 'conversations', validationSplit: 0, seed: 1 });
    expect(set.train).toHaveLength(3);
    expect(set.problems).toEqual([{ level: 'error', code: 'dataset', message: 'The file is cut off: it does not end with "PAR1".', advice: 'Download it again; it may be cut off.', file: SHARDS[1] }]);
  });

  it('count the rows of a damaged group among those left out', async () => {
    const bytes = bytesOf('many-groups.parquet');
    bytes[Buffer.from(bytes).indexOf('\x03\0\0\0q13') + 4] = 0xff;
    const set = await readDataset({ train: [fixture('a.parquet', bytes)], validation: [] }, { kind: 'conversations', validationSplit: 0, seed: 1 });
    expect({ train: set.train.length, rejected: set.rejected, errors: set.errorCount }).toEqual({ train: 36, rejected: 4, errors: 1 });
  });
});
