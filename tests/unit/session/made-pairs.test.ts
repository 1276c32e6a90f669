import { beforeEach, describe, expect, it, vi } from 'vitest';
import { PERTURBATIONS } from '../../../src/data/perturb.ts';
import { PAIR_KINDS, type DatasetSummary, type MadePairsSummary, type PairSettings, type SamplePreview } from '../../../src/protocol/messages.ts';
import { posterOf } from '../../../src/protocol/media.ts';
import { pretendBrowser } from '../storage/pretend-browser.ts';
import { demoConfig, demoFiles, fakeSession, fetchPublic } from './fake-engine.ts';

beforeEach(() => {
  pretendBrowser();
  vi.stubGlobal('fetch', fetchPublic);
});

const config = demoConfig();
const settings: PairSettings = { kinds: PAIR_KINDS, seed: 3, perSample: 2 };

async function made(method: 'sft' | 'dpo' = 'sft', wanted: PairSettings = settings) {
  const { session } = fakeSession();
  const asked = demoConfig({ method });
  await session.handle({ type: 'loadDataset', source: { kind: 'files', train: demoFiles(6), validation: demoFiles(3, 'sft_val') }, config: asked });
  const summary = (await session.handle({ type: 'makePairs', settings: wanted, config: asked })) as MadePairsSummary;
  return { session, summary };
}

describe('pairs made in a session', () => {
  it('offer the kinds that exist', () => {
    expect(PAIR_KINDS).toEqual(PERTURBATIONS);
  });

  it('come from both splits, each with its own image and prompt', async () => {
    const { session, summary } = await made();
    expect(summary.samples).toBe(9);
    expect(summary.count).toBe(Object.values(summary.counts).reduce((sum, count) => sum + count, 0));
    expect(summary.previews).toHaveLength(summary.count);
    for (const { split, id, chosen, image, prompt } of summary.previews) {
      const name = id.slice(0, id.lastIndexOf('/'));
      const sample = (await session.handle({ type: 'sample', split, index: Number(name.slice(-4)) })) as SamplePreview;
      expect(sample.id).toBe(name);
      expect(chosen.text).toBe(sample.turns.at(-1)!.text);
      expect(prompt).toBe(sample.turns[0].text.trim());
      expect(image).toBe(posterOf(sample.media[0]));
    }
  });

  it('are a dataset that DPO reads whole', async () => {
    const { session, summary } = await made();
    const dpo = demoConfig({ method: 'dpo' });
    const loaded = (await session.handle({ type: 'loadDataset', source: { kind: 'files', ...summary.files }, config: dpo })) as DatasetSummary;
    expect(loaded).toMatchObject({ rejected: 0, problemCount: 0, trainSamples: summary.previews.filter(({ split }) => split === 'train').length });
    expect(loaded.trainSamples + loaded.validationSamples).toBe(summary.count);
    const first = (await session.handle({ type: 'sample', split: 'train', index: 0 })) as SamplePreview;
    expect(first.rejected).toEqual(summary.previews[0].rejected);
  });

  it('can be made while DPO is the method and reads the samples as no pairs', async () => {
    const [asSft, asDpo] = [await made('sft'), await made('dpo')];
    expect(await asDpo.summary.files.train[0].file.text()).toBe(await asSft.summary.files.train[0].file.text());
  });

  it('are refused where nothing can be made', async () => {
    const { session } = fakeSession();
    const odd = [{ id: 'odd', conversations: [{ from: 'human', value: 'What is this?' }, { from: 'gpt', value: 'A road.' }] }];
    const train = [{ path: 'train.json', file: new Blob([JSON.stringify(odd)]) }];
    await session.handle({ type: 'loadDataset', source: { kind: 'files', train, validation: [] }, config });
    await expect(session.handle({ type: 'makePairs', settings, config })).rejects.toMatchObject({ code: 'dataset' });
  });
});
