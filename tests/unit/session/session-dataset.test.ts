import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Processor } from '../../../src/processing/processor.ts';
import type { TrainingConfig } from '../../../src/protocol/config.ts';
import { answerReader, rolloutPrompt } from '../../../src/session/answers.ts';
import { SampleEncoder } from '../../../src/session/encoded-dataset.ts';
import { ImageCache } from '../../../src/session/image-cache.ts';
import { kindOf, SessionDataset } from '../../../src/session/session-dataset.ts';
import type { OpenModel } from '../../../src/session/session-model.ts';
import { demoArchitecture, demoSideFiles } from '../processing/fixtures.ts';
import { demoConfig, demoFiles, fetchPublic } from './fake-engine.ts';

beforeEach(() => vi.stubGlobal('fetch', fetchPublic));
afterEach(() => vi.unstubAllGlobals());

const withMethod = (method: TrainingConfig['method']) => ({ ...demoConfig(), method });
const processor = await Processor.fromFiles(demoSideFiles, demoArchitecture());
const model = { processor, encoder: new SampleEncoder(processor, new ImageCache()) } as OpenModel;
const open = () => new SessionDataset('http://localhost/demo/', () => () => undefined);

it('knows what each method needs', () => {
  expect((['sft', 'dpo', 'grpo', 'grpo-trl'] as const).map((method) => kindOf(withMethod(method)))).toEqual(['conversations', 'preference', 'prompts', 'prompts']);
});

it('serves the demo’s pairs, with both answers in the preview', async () => {
  const dataset = open();
  expect(await dataset.load({ kind: 'demo' }, null, withMethod('dpo'))).toMatchObject({ trainSamples: 192, validationSamples: 48, rejected: 0, problemCount: 0, images: 240 });
  const preview = await dataset.sample('train', 0, null);
  expect(preview.turns.map(({ role }) => role)).toEqual(['user', 'assistant']);
  expect(preview.rejected!.text).not.toBe(preview.turns[1].text);
  expect(preview.rejected!.boxes).toHaveLength(2);
});

it('tells of a sample what rewards are told of it in training', async () => {
  const [records, image] = demoFiles(1);
  const [record] = JSON.parse(await records.file.text()) as object[];
  const files = [{ path: 'prompts.json', file: new Blob([JSON.stringify([{ ...record, site: 'north' }])]) }, image];
  const dataset = open();
  const config = withMethod('grpo');
  await dataset.load({ kind: 'files', train: files, validation: [] }, model, config);
  const { scored } = await dataset.sample('train', 0, model);
  const { train } = await dataset.encode(model, config);
  const first = await train.at(0);
  const { prompt, truth, extra, imageSize } = await rolloutPrompt(first.source, 0, first.encoded, processor, config);
  expect(scored).toEqual({ prompt, truth, extra, imageSize });
  const [, rows, columns] = first.encoded.media[0].grid;
  expect(scored).toMatchObject({ extra: { site: 'north' }, imageSize: { width: columns * 16, height: rows * 16 } });
  expect(scored.prompt.length * scored.truth.length).toBeGreaterThan(0);
});

it('draws boxes in pixels of the resized image where they belong, and none before its size is known', async () => {
  const [records, image] = demoFiles(1);
  const [record] = JSON.parse(await records.file.text()) as { conversations: { from: string; value: string }[] }[];
  const answer = '[{"bbox_2d": [24, 12, 48, 96], "label": "lamp"}]';
  const sample = { ...record, conversations: [record.conversations[0], { from: 'gpt', value: answer }] };
  const files = [{ path: 'prompts.json', file: new Blob([JSON.stringify([sample])]) }, image];
  const dataset = open();
  const config = { ...withMethod('grpo'), box_convention: 'pixels' as const };
  await dataset.load({ kind: 'files', train: files, validation: [] }, null, config);
  expect((await dataset.sample('train', 0, null)).boxes).toEqual([]);
  const { train } = await dataset.encode(model, config);
  const { width, height } = (await dataset.sample('train', 0, model)).scored.imageSize!;
  const drawn = [{ box: [24000 / width, 12000 / height, 48000 / width, 96000 / height], label: 'lamp' }];
  expect((await dataset.sample('train', 0, model)).boxes).toEqual(drawn);
  const first = await train.at(0);
  const prompt = await rolloutPrompt(first.source, 0, first.encoded, processor, config);
  expect(prompt.truthBoxes).toEqual(drawn);
  expect(answerReader(processor, { train, validation: { sources: [] } }, config).boxes(answer, prompt)).toEqual(drawn);
  await dataset.encode(model, { ...withMethod('sft'), box_convention: 'pixels' });
  expect((await dataset.sample('train', 0, model)).boxes).toEqual(drawn);
  await dataset.encode(model, withMethod('sft'));
  expect((await dataset.sample('train', 0, model)).boxes).toEqual([{ box: [24, 12, 48, 96], label: 'lamp' }]);
});

it('reads and fetches again when the method changes', async () => {
  // A few samples of each file are enough, and quick.
  vi.stubGlobal('fetch', async (address: string) => {
    const response = await fetchPublic(address);
    return /_(train|val)\.json$/.test(address) ? new Response(JSON.stringify(((await response.json()) as unknown[]).slice(0, address.includes('dpo') ? 3 : 5))) : response;
  });
  const dataset = open();
  await dataset.load({ kind: 'demo' }, null, withMethod('sft'));
  const counts = async (method: TrainingConfig['method']) => {
    const { train, validation } = await dataset.encode(model, withMethod(method));
    return [train.length, validation.length, train.sources.filter((sample) => sample.rejected).length];
  };
  expect(await counts('dpo')).toEqual([3, 3, 3]);
  expect(await counts('grpo')).toEqual([5, 5, 0]);
  expect((await dataset.sample('train', 0, model)).tokens!.label).toBe(0);
  expect(await counts('sft')).toEqual([5, 5, 0]);
  expect((await dataset.sample('train', 0, model)).tokens!.label).toBeGreaterThan(0);
});
