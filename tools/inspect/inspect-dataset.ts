/** A dataset as the page reads it: layout, samples, boxes, tokens, faults. Pixels are not decoded. */
import type { CvatImport } from '../../src/data/cvat.ts';
import { type Dataset, type DatasetKind, previewSample, readDataset } from '../../src/data/dataset.ts';
import { sortByKind } from '../../src/data/file-tree.ts';
import { ProblemList } from '../../src/data/problems.ts';
import { readRecords } from '../../src/data/records.ts';
import { TurnedImages } from '../../src/data/turned-images.ts';
import { extractBoxes } from '../../src/objectives/detection-answer.ts';
import { answerOf, promptOf } from '../../src/processing/conversation.ts';
import { seenSize } from '../../src/processing/prepare-image.ts';
import type { Processor } from '../../src/processing/processor.ts';
import type { EncodedSample } from '../../src/processing/types.ts';
import { LorikeetError } from '../../src/protocol/errors.ts';
import { parseTrainingConfig } from '../../src/protocol/config.ts';
import type { DatasetProblem, PathFile } from '../../src/protocol/messages.ts';
import type { ReadingChoices } from '../../src/protocol/reading-choices.ts';
import { mediaOptions } from '../../src/session/encoded-dataset.ts';
import type { DatasetReport } from './report.ts';

export interface DatasetInspection {
  because: string;
  /** Left out, whatever most samples fit. */
  purpose?: DatasetKind;
  processor?: Processor;
  /** What was said when the files were made from annotations. */
  converted?: CvatImport;
  boxes: 'thousandths' | 'pixels';
  /** What the page's panels would have decided. */
  choices?: ReadingChoices;
  /** Conversations to render. */
  samples: number;
}

/** Faults that are listed; all are counted. */
const MAX_LISTED = 200;

export async function inspectDataset(files: readonly PathFile[], options: DatasetInspection): Promise<DatasetReport> {
  const dataset = await readAs(files, options);
  const encoded = options.processor ? await encode(dataset, options.processor) : null;
  const { converted } = options;
  const convertedErrors = converted?.problems.filter(({ level }) => level === 'error').length ?? 0;
  const notices = new ProblemList();
  await new TurnedImages().report([...dataset.train, ...dataset.validation], notices);
  const problems = [...dataset.problems, ...(encoded?.problems ?? []), ...notices.listed, ...(converted?.problems ?? [])].sort((a, b) => Number(a.level === 'warning') - Number(b.level === 'warning'));
  const lost = encoded?.lost ?? { train: 0, validation: 0 };
  const samples = [...dataset.train, ...dataset.validation];
  return {
    kind: 'dataset',
    because: options.because,
    purpose: dataset.kind,
    layouts: await layoutsOf(files, samples),
    train: dataset.train.length - lost.train,
    validation: dataset.validation.length - lost.validation,
    leftOut: dataset.rejected + lost.train + lost.validation + (converted?.rejected ?? 0),
    images: dataset.images,
    videos: dataset.videos,
    boxes: { ...boxesOf(samples.map(({ conversation }) => answerOf(conversation))), unit: options.boxes },
    tokens: encoded?.tokens ?? null,
    errors: dataset.errorCount + lost.train + lost.validation + convertedErrors,
    warnings: dataset.problemCount - dataset.errorCount + notices.count + (converted ? converted.problemCount - convertedErrors : 0),
    problems: problems.slice(0, MAX_LISTED),
    first: samples.slice(0, options.samples).map((sample) => ({ id: sample.id, text: rendered(sample, options.processor) })),
  };
}

async function readAs(files: readonly PathFile[], { purpose, boxes, processor, choices }: DatasetInspection): Promise<Dataset> {
  const read = (kind: DatasetKind) => readDataset({ train: files, validation: [] }, { kind, boxes, validationSplit: 0, seed: 42, ...(choices && { choices }), ...(processor && { seenSize: (stored) => seenSize(stored, processor.preprocessor, parseTrainingConfig({}).max_image_size) }) });
  if (purpose) return read(purpose);
  const usable = ({ train, validation }: Dataset) => train.length + validation.length;
  const conversations = await read('conversations');
  const preference = await read('preference');
  const best = usable(preference) > usable(conversations) ? preference : conversations;
  // Prompts are read from nearly anything: they count where nothing else does.
  const prompts = usable(best) === 0 ? await read('prompts') : null;
  return prompts && usable(prompts) > 0 ? prompts : best;
}

/** Columns of each record file; those that samples keep beside their conversation are "extra". */
async function layoutsOf(files: readonly PathFile[], samples: Dataset['train']): Promise<DatasetReport['layouts']> {
  const unheard = new ProblemList();
  const { records } = await sortByKind(files, unheard);
  const layouts: DatasetReport['layouts'] = [];
  for (const file of records) {
    const { records: rows } = await readRecords(file, unheard);
    const columns = new Set(rows.flatMap(({ value }) => (typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : [])));
    const extra = new Set(samples.filter(({ place }) => place.file === file.path).flatMap((sample) => Object.keys(sample.extra ?? {})));
    layouts.push({ file: file.path, rows: rows.length, columns: [...columns].filter((name) => !extra.has(name)), extra: [...extra] });
  }
  return layouts;
}

function boxesOf(answers: readonly string[]): Omit<DatasetReport['boxes'], 'unit'> {
  const found = answers.map((answer) => extractBoxes(answer));
  let [count, smallest, largest] = [0, Infinity, -Infinity];
  for (const { box } of found.flat()) {
    count++;
    for (const side of box) [smallest, largest] = [Math.min(smallest, side), Math.max(largest, side)];
  }
  const some = count > 0;
  return { count, answers: found.filter((boxes) => boxes.length > 0).length, smallest: some ? smallest : null, largest: some ? largest : null };
}

async function encode(dataset: Dataset, processor: Processor): Promise<{ tokens: DatasetReport['tokens']; problems: DatasetProblem[]; lost: { train: number; validation: number } }> {
  const config = parseTrainingConfig({});
  const options = { maxLength: config.max_length, ...mediaOptions(config), assistantTurns: config.assistant_turns, labelsWithThinkPrefix: config.labels_with_think_prefix };
  const problems = new ProblemList();
  const encoded: EncodedSample[] = [];
  const lost = { train: 0, validation: 0 };
  for (const split of ['train', 'validation'] as const) {
    for (const sample of dataset[split]) {
      try {
        const asked = dataset.kind === 'prompts' ? processor.encodePrompt({ ...sample, conversation: promptOf(sample.conversation) }, options) : processor.encodeSample(sample, options);
        encoded.push(await asked);
      } catch (error) {
        if (!(error instanceof LorikeetError)) throw error;
        problems.caught(error, sample.place);
        lost[split]++;
      }
    }
  }
  const lengths = encoded.map(({ inputIds }) => inputIds.length).sort((a, b) => a - b);
  const sum = (value: (sample: EncodedSample) => number) => encoded.reduce((total, sample) => total + value(sample), 0);
  const tokens = lengths.length === 0 ? null : {
    shortest: lengths[0],
    median: lengths[lengths.length >> 1],
    longest: lengths[lengths.length - 1],
    label: sum(({ labelTokens }) => labelTokens),
    media: sum(({ visionRows }) => visionRows.length),
  };
  return { tokens, problems: problems.listed, lost };
}

/** The model's own template where there is a model, else the turns one by one. */
function rendered(sample: Dataset['train'][number], processor: Processor | undefined): string {
  if (processor) return processor.template.render(sample.conversation, { addGenerationPrompt: false });
  const { turns, rejected } = previewSample(sample);
  return [...turns.map(({ role, text }) => `${role}: ${text}`), ...(rejected ? [`rejected: ${rejected.text}`] : [])].join('\n');
}
