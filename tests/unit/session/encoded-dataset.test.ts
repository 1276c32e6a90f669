import { describe, expect, it } from 'vitest';
import { type DatasetKind, type DatasetOptions, readDataset } from '../../../src/data/dataset.ts';
import { answerOf, messageText } from '../../../src/processing/conversation.ts';
import { Processor } from '../../../src/processing/processor.ts';
import { IGNORE_INDEX, type EncodedSample } from '../../../src/processing/types.ts';
import type { PathFile } from '../../../src/protocol/messages.ts';
import { type EncodingConfig, fingerprintSamples, SampleEncoder, summarizeDataset } from '../../../src/session/encoded-dataset.ts';
import { ImageCache } from '../../../src/session/image-cache.ts';
import { architectureOf, type Json, readBlob, readJson, sideFiles } from '../processing/fixtures.ts';

const processor = await Processor.fromFiles(sideFiles('qwen3_vl/checkpoint'), architectureOf('qwen3_vl/checkpoint'));
const config: EncodingConfig = { max_length: 512, max_image_size: 0, assistant_turns: 'all', video_fps: null, video_min_frames: null, video_max_frames: null, video_max_pixels: null, enable_thinking: false, labels_with_think_prefix: false };
const images = ['a_rgb.png', 'c_gray.png'].map((path) => ({ path, file: readBlob(`qwen3_vl/images/${path}`) }));
const json = (records: unknown[]): PathFile => ({ path: 'train.json', file: new Blob([JSON.stringify(records)]) });

async function encode(kind: DatasetKind, records: unknown[], changes: Partial<EncodingConfig> = {}, options: Partial<DatasetOptions> = {}) {
  const dataset = await readDataset({ train: [json(records), ...images.filter(({ path }) => JSON.stringify(records).includes(path))], validation: [] }, { kind, validationSplit: 0, seed: 1, ...options });
  const encoder = new SampleEncoder(processor, new ImageCache());
  const encoded = await encoder.encode(dataset, { ...config, ...changes }, () => undefined);
  return { dataset, encoder, encoded };
}

const labelled = ({ labels }: EncodedSample) => processor.decode([...labels].filter((label) => label !== IGNORE_INDEX), { skipSpecial: false });

describe('pairs', () => {
  const golden = readJson('qwen3_vl/cases/dpo.json');
  const records = golden.pairs.map(({ prompt, chosen, rejected }: Json) => ({ ...prompt, chosen, rejected }));

  it('have the reference ids, completion masks and grids on both sides', async () => {
    const { encoded } = await encode('preference', records);
    expect(encoded.problems).toEqual([]);
    const rows = [...encoded.train.map((sample) => sample.encoded), ...encoded.train.map((sample) => sample.rejected!)];
    rows.forEach((row, i) => {
      const length = golden.attention_mask[i].filter(Boolean).length;
      expect([...row.inputIds]).toEqual(golden.input_ids[i].slice(0, length));
      expect([...row.labels].map((label) => Number(label !== IGNORE_INDEX))).toEqual(golden.completion_mask[i].slice(0, length));
    });
    expect(rows.flatMap((row) => row.media.map(({ grid }) => grid))).toEqual(golden.image_grid_thw);
  });

  it('learn the last turn only, whatever assistant_turns says', async () => {
    const messages = [{ role: 'user', content: 'a' }, { role: 'assistant', content: 'b' }, { role: 'user', content: 'c' }];
    const { encoded } = await encode('preference', [{ prompt: messages, chosen: 'yes', rejected: 'no' }]);
    expect([labelled(encoded.train[0].encoded), labelled(encoded.train[0].rejected!)]).toEqual(['yes<|im_end|>\n', 'no<|im_end|>\n']);
  });

  it('share decoded images', async () => {
    const { encoded } = await encode('preference', records);
    const { encoded: chosen, rejected } = encoded.train[0];
    expect(await rejected!.pixels(0)).toBe(await chosen.pixels(0));
  });

  it('name the side that is too long', async () => {
    const { dataset, encoded } = await encode('preference', [{ prompt: 'q', chosen: 'a', rejected: 'word '.repeat(200) }, { prompt: 'q', chosen: 'word '.repeat(200), rejected: 'a' }, { prompt: 'q', chosen: 'a', rejected: 'b' }], { max_length: 100 });
    expect(encoded.problems.map(({ code, field, sample, message }) => [code, field, sample, message.slice(0, 18)])).toEqual([
      ['sample-too-long', 'rejected', 1, 'The rejected side:'],
      ['sample-too-long', 'chosen', 2, 'The chosen side: S'],
    ]);
    expect([encoded.train.length, encoded.rejected]).toEqual([1, 2]);
    expect(summarizeDataset(dataset, encoded)).toMatchObject({ trainSamples: 1, rejected: 2 });
  });

  it('name the side with a placeholder token', async () => {
    const { encoded } = await encode('preference', [{ prompt: 'q', chosen: 'a', rejected: '<|image_pad|>' }]);
    expect(encoded.problems).toEqual([expect.objectContaining({ code: 'dataset', field: 'rejected', sample: 1 })]);
  });

  it('report an unreadable image once', async () => {
    const dataset = await readDataset({ train: [json([{ image: 'x.png', prompt: 'q', chosen: 'a', rejected: 'b' }]), { path: 'x.png', file: new Blob(['no image']) }], validation: [] }, { kind: 'preference', validationSplit: 0, seed: 1 });
    const { problems } = await new SampleEncoder(processor, new ImageCache()).encode(dataset, config, () => undefined);
    expect(problems).toEqual([expect.objectContaining({ code: 'image', sample: 1 })]);
  });

  it('are told apart by their rejected answers, and count both sides in the summary', async () => {
    const pair = (rejected: string) => [{ prompt: 'q', chosen: 'a', rejected }];
    const [one, same, other] = await Promise.all(['b', 'b', 'c'].map(async (rejected) => encode('preference', pair(rejected))));
    const print = (made: typeof one) => fingerprintSamples(made.encoded.train);
    expect(await print(one)).toBe(await print(same));
    expect(await print(one)).not.toBe(await print(other));
    const long = await encode('preference', pair('a longer answer than the chosen one'));
    const { tokens } = summarizeDataset(long.dataset, long.encoded);
    expect(tokens!.max).toBe(long.encoded.train[0].rejected!.inputIds.length);
    expect(tokens!.min).toBe(long.encoded.train[0].encoded.inputIds.length);
  });
});

describe('answers that are not to be learnt', () => {
  const turns = [{ role: 'user', content: 'a' }, { role: 'assistant', content: 'WRONG', loss: false }, { role: 'user', content: 'b' }, { role: 'assistant', content: 'right' }];

  it('carry no labels', async () => {
    const { encoded } = await encode('conversations', [{ messages: turns }, { messages: turns.slice(0, 2) }]);
    expect(encoded.train.map((sample) => labelled(sample.encoded))).toEqual(['right<|im_end|>\n']);
    expect(encoded.problems).toEqual([expect.objectContaining({ level: 'error', sample: 2, message: expect.stringMatching(/nothing to learn/) })]);
  });
});

describe('prompts', () => {
  it('are encoded without their truth, limited by max_length', async () => {
    const records = [{ image: 'a_rgb.png', prompt: 'q', solution: 'word '.repeat(500) }, { prompt: 'word '.repeat(200) }];
    const { encoder, encoded } = await encode('prompts', records, { max_length: 100 });
    expect(encoded.train).toHaveLength(1);
    expect(encoded.problems).toEqual([
      expect.objectContaining({ code: 'sample-too-long', sample: 2 }),
      expect.objectContaining({ level: 'warning', message: '1 samples have no true answer.' }),
    ]);
    const [sample] = encoded.train;
    expect(labelled(sample.encoded)).toBe('');
    expect(processor.decode(sample.encoded.inputIds, { skipSpecial: false })).toMatch(/q<\|im_end\|>\n<\|im_start\|>assistant\n$/);
    expect((await encoder.encodePrompt(sample, config)).inputIds).toEqual(sample.encoded.inputIds);
    expect(answerOf(sample.source.conversation)).toMatch(/^word word/);
  });

  it('without a truth keep all of their turns', async () => {
    const prompt = [{ role: 'user', content: 'a' }, { role: 'assistant', content: 'b' }, { role: 'user', content: 'c' }];
    const { encoded } = await encode('prompts', [{ prompt }]);
    expect(encoded.train[0].source.conversation.map(messageText)).toEqual(['a', 'b', 'c']);
    expect(processor.decode(encoded.train[0].encoded.inputIds, { skipSpecial: false })).toMatch(/b<\|im_end\|>\n<\|im_start\|>user\nc<\|im_end\|>/);
  });
});
