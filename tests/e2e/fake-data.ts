/** Datasets of the fake trainer that are more than numbers: read by the product's own code, so that pairs can be made and looked at. */
import { previewSample, readDataset, type Dataset } from '../../src/data/dataset.ts';
import type { TrainingConfig } from '../../src/protocol/config.ts';
import { withFiles } from '../../src/protocol/media.ts';
import type { DatasetSource, MadePairsSummary, PairSettings, PathFile, SamplePreview, SplitName } from '../../src/protocol/messages.ts';
import { scoredPrompt } from '../../src/session/answers.ts';
import { pairsFrom } from '../../src/session/made-pairs.ts';

/** Samples of the demo that pairs are made from. */
const COUNT = 24;

interface Entry {
  id: string;
  image: string;
}

/** The first demo samples and one without a list, as files. */
async function demoFiles(): Promise<PathFile[]> {
  const base = `${self.location.origin}/demo/data/`;
  const entries = ((await (await fetch(`${base}sft_train.json`)).json()) as Entry[]).slice(0, COUNT);
  const odd = { ...entries[0], id: 'odd', conversations: [{ from: 'human', value: '<image>\nDescribe the picture.' }, { from: 'gpt', value: 'A road at night.' }] };
  const images = await Promise.all(entries.map(async ({ image }) => ({ path: image, file: await (await fetch(base + image)).blob() })));
  return [{ path: 'sft_train.json', file: new Blob([JSON.stringify([...entries, odd])]) }, ...images];
}

export async function fakePairs(settings: PairSettings): Promise<MadePairsSummary> {
  return pairsFrom(await readDataset({ train: await demoFiles(), validation: [] }, { kind: 'conversations', validationSplit: 0, seed: 1 }), settings);
}

/** Files that the user gave, as the method reads them. */
export async function readFiles(source: DatasetSource, { method, validation_split, seed }: TrainingConfig): Promise<Dataset | null> {
  if (source.kind === 'demo') return null;
  return readDataset(source, { kind: method === 'dpo' ? 'preference' : 'conversations', ...(source.choices && { choices: source.choices }), validationSplit: validation_split, seed });
}

export function previewOf(dataset: Dataset, split: SplitName, index: number): SamplePreview {
  const sample = dataset[split][index];
  return { split, index, id: sample.id, media: sample.media.map((medium) => withFiles(medium, ({ file }) => file)), ...previewSample(sample), scored: scoredPrompt(sample, [], 0), tokens: null };
}
