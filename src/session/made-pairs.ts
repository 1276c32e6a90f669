/** Preference pairs made from a dataset's own answers: what the page shows of them, and the dataset they become. */
import type { Dataset, DatasetSample } from '../data/dataset.ts';
import { makePairs, type MadePairs } from '../data/perturb.ts';
import { extractBoxes } from '../objectives/detection-answer.ts';
import { messageText, promptOf } from '../processing/conversation.ts';
import { plainFile } from '../processing/archived-file.ts';
import { LorikeetError } from '../protocol/errors.ts';
import { filesOf as filesOfMedium } from '../protocol/media.ts';
import { PAIR_KINDS, type MadePairsSummary, type PairKind, type PairPreview, type PairSettings, type PathFile, type SplitName } from '../protocol/messages.ts';
import { plainPoster } from './plain-media.ts';

/** More pairs than these are made but not shown. */
const MAX_PREVIEWS = 500;
const MAX_REFUSED = 200;
const RECORD_FILES: Readonly<Record<SplitName, string>> = { train: 'dpo_train.json', validation: 'dpo_val.json' };

/**
 * Makes pairs from both splits.
 * @throws LorikeetError "dataset" when no sample gives a pair; "image" when a picture cannot be unpacked
 */
export async function pairsFrom(dataset: Dataset, settings: PairSettings): Promise<MadePairsSummary> {
  const train = makePairs(dataset.train, settings);
  const validation = makePairs(dataset.validation, settings);
  const samples = dataset.train.length + dataset.validation.length;
  const count = train.pairs.length + validation.pairs.length;
  if (count === 0) {
    throw new LorikeetError(
      'dataset',
      `None of the ${samples} samples gives a pair: ${samples === 0 ? 'there are no samples with answers' : 'no answer is a list of objects with boxes that the chosen kinds apply to'}.`,
      'Load samples whose answers list objects with boxes, or choose other kinds.',
    );
  }
  const previews = [...(await previewsOf('train', train, dataset.train)), ...(await previewsOf('validation', validation, dataset.validation))];
  const refused = [...refusedOf('train', train), ...refusedOf('validation', validation)];
  return {
    count,
    counts: Object.fromEntries(PAIR_KINDS.map((kind) => [kind, train.counts[kind] + validation.counts[kind]])) as Record<PairKind, number>,
    samples,
    previews: previews.slice(0, MAX_PREVIEWS),
    refused: refused.slice(0, MAX_REFUSED),
    refusedCount: refused.length,
    files: { train: await filesOf('train', train, dataset.train), validation: await filesOf('validation', validation, dataset.validation) },
  };
}

function refusedOf(split: SplitName, { refused }: MadePairs): MadePairsSummary['refused'] {
  return refused.map((entry) => ({ split, ...entry }));
}

function previewsOf(split: SplitName, made: MadePairs, samples: readonly DatasetSample[]): Promise<PairPreview[]> {
  const sources = sourcesOf(made, samples);
  const previews = made.pairs.slice(0, MAX_PREVIEWS).map(async ({ id, kind, chosen, rejected }, i): Promise<PairPreview> => {
    const { conversation, media } = sources[i];
    const question = promptOf(conversation).findLast(({ role }) => role === 'user');
    return {
      split,
      id,
      kind,
      prompt: question ? messageText(question).trim() : '',
      image: await plainPoster(media),
      chosen: { text: chosen, boxes: extractBoxes(chosen) },
      rejected: { text: rejected, boxes: extractBoxes(rejected) },
    };
  });
  return Promise.all(previews);
}

/** The sample of each pair: pairs come in the order of the samples, numbered from 1 within each. */
function sourcesOf({ pairs, refused }: MadePairs, samples: readonly DatasetSample[]): DatasetSample[] {
  const without = new Set(refused.map(({ place }) => place));
  const used = samples.filter(({ place }) => !without.has(place));
  let at = -1;
  return pairs.map(({ id }) => used[id.endsWith('/1') ? ++at : at]);
}

/** Records and the files of the pictures and clips they use, each once; nothing at all where there are no pairs. */
async function filesOf(split: SplitName, made: MadePairs, samples: readonly DatasetSample[]): Promise<PathFile[]> {
  if (made.pairs.length === 0) return [];
  const media = new Map(sourcesOf(made, samples).flatMap(({ media }) => media.flatMap((medium) => filesOfMedium(medium)).map((file) => [file.path, file] as const)));
  const records = new Blob([JSON.stringify(made.pairs, null, 1)], { type: 'application/json' });
  const plain = await Promise.all([...media.values()].map(async ({ path, file }) => ({ path, file: await plainFile(file, path) })));
  return [{ path: RECORD_FILES[split], file: records }, ...plain];
}
