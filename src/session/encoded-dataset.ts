/** Samples of a dataset, tokenised for a model and checked to the last pixel before anything trains on them. */
import type { Dataset, DatasetKind, DatasetSample } from '../data/dataset.ts';
import { ProblemList } from '../data/problems.ts';
import { TurnedImages } from '../data/turned-images.ts';
import type { TrainingConfig } from '../protocol/config.ts';
import { invariant, LorikeetError } from '../protocol/errors.ts';
import { filesOf, type Media } from '../protocol/media.ts';
import type { DatasetProblem, DatasetSummary, PathFile, SplitName } from '../protocol/messages.ts';
import { extractBoxes } from '../objectives/detection-answer.ts';
import { answerOf, mediaOrder, promptOf } from '../processing/conversation.ts';
import type { Conversation } from '../processing/conversation.ts';
import type { MediaOptions, Processor } from '../processing/processor.ts';
import { sharedTokens } from '../processing/shared-prompts.ts';
import type { EncodedSample } from '../processing/types.ts';
import { fingerprintLines, sha256 } from '../storage/fingerprint.ts';
import type { ImageCache } from './image-cache.ts';
import type { MeasuredSample } from './run-data.ts';

/** A usable sample in both forms. */
export interface SessionSample {
  source: DatasetSample;
  /** The conversation with its labels; of a pair the prompt with the chosen answer; of a prompt the prompt alone. */
  encoded: EncodedSample;
  /** Pairs only: the prompt with the rejected answer. */
  rejected?: EncodedSample;
  /** Pairs only: tokens that one copy can stand for on both sides. */
  shared?: number;
}

/** Settings that decide what a sample's tokens are. */
export type EncodingConfig = Pick<TrainingConfig, 'max_length' | 'max_image_size' | 'assistant_turns' | 'enable_thinking' | 'labels_with_think_prefix' | 'video_fps' | 'video_min_frames' | 'video_max_frames' | 'video_max_pixels'>;

/** How large pictures and clips become under these settings. */
export function mediaOptions(config: Omit<EncodingConfig, 'max_length' | 'assistant_turns' | 'enable_thinking' | 'labels_with_think_prefix'>): MediaOptions {
  const { video_fps: fps, video_min_frames: minFrames, video_max_frames: maxFrames, video_max_pixels: maxPixels } = config;
  return { maxImageSize: config.max_image_size, video: { fps, minFrames, maxFrames, maxPixels } };
}

/** Samples that can be used, and what is wrong with the others. */
export interface CheckedDataset<T extends MeasuredSample = MeasuredSample> {
  train: T[];
  validation: T[];
  problems: DatasetSummary['problems'];
  problemCount: number;
  errorCount: number;
  rejected: number;
}

export type EncodedDataset = CheckedDataset<SessionSample>;

/** Images decoded at the same time while a dataset is checked. */
const PARALLEL = 4;
const MAX_PROBLEMS = 200;
/** How long samples are encoded in one go. */
const STRETCH_MS = 40;

/** Encodes samples for one model; remembers which pictures and clips have been found readable. */
export class SampleEncoder {
  private readonly fileIds = new WeakMap<PathFile, number>();
  private readonly readable = new Set<string>();
  private readonly turned = new TurnedImages();
  private files = 0;

  constructor(
    private readonly processor: Processor,
    private readonly cache: ImageCache,
  ) {}

  /** Encodes a whole dataset; samples with an error are left out, counted and named. */
  async encode(dataset: Dataset, config: EncodingConfig, onProgress: (done: number, total: number) => void): Promise<EncodedDataset> {
    const problems = new ProblemList();
    const total = dataset.train.length + dataset.validation.length;
    let done = 0;
    const encodeAll = async (samples: readonly DatasetSample[]): Promise<SessionSample[]> => {
      const results = await inParallel(samples, async (source) => {
        const sample = await this.encodeSample(source, dataset.kind, config).catch((error: unknown) => {
          if (!(error instanceof LorikeetError)) throw error;
          return error;
        });
        onProgress(++done, total);
        return sample;
      });
      return results.flatMap((sample, i) => {
        if (!(sample instanceof LorikeetError)) return [sample];
        problems.caught(sample, samples[i].place);
        return [];
      });
    };
    const train = await encodeAll(dataset.train);
    const validation = await encodeAll(dataset.validation);
    return this.conclude(dataset, { train, validation }, problems);
  }

  /** All that is known of a dataset once every sample has been encoded. @param problems those of encoding */
  async conclude<T extends MeasuredSample>(dataset: Dataset, { train, validation }: Record<SplitName, T[]>, problems: ProblemList): Promise<CheckedDataset<T>> {
    await this.turned.report([...train, ...validation].map(({ source }) => source), problems);
    return {
      train,
      validation,
      problems: errorsFirst([...dataset.problems, ...problems.listed]).slice(0, MAX_PROBLEMS),
      problemCount: dataset.problemCount + problems.count,
      errorCount: dataset.errorCount + problems.errorCount,
      rejected: dataset.rejected + dataset.train.length + dataset.validation.length - train.length - validation.length,
    };
  }

  /**
   * Everything before a sample's answer, ready for generation.
   * @throws LorikeetError "sample-too-long" above max_length, else as `Processor.encodePrompt`
   */
  async encodePrompt({ source }: Pick<SessionSample, 'source'>, config: EncodingConfig): Promise<EncodedSample> {
    const conversation = promptOf(source.conversation);
    const options = { maxLength: config.max_length, enableThinking: config.enable_thinking, ...mediaOptions(config) };
    const encoded = await this.processor.encodePrompt({ ...source, conversation }, options);
    return this.withCachedPixels(encoded, conversation, source, config);
  }

  /**
   * One sample, its pictures and clips found readable.
   * @throws LorikeetError what is wrong with the sample
   */
  async encodeSample(source: DatasetSample, kind: DatasetKind, config: EncodingConfig): Promise<SessionSample> {
    if (kind === 'prompts') {
      const encoded = await this.encodePrompt({ source }, config);
      await this.checkMedia(source, encoded);
      return { source, encoded };
    }
    if (kind === 'conversations') {
      const encoded = await this.encodeLabelled(source, source.conversation, config);
      await this.checkMedia(source, encoded);
      return { source, encoded };
    }
    const { conversation, rejected } = source;
    invariant(rejected, `sample ${source.id} of a preference set has no rejected answer`);
    const lastTurn = { ...config, assistant_turns: 'last' } as const;
    const encoded = await ofSide('chosen', this.encodeLabelled(source, conversation, lastTurn));
    const other = await ofSide('rejected', this.encodeLabelled(source, [...promptOf(conversation), rejected], lastTurn));
    await this.checkMedia(source, encoded);
    return { source, encoded, rejected: other, shared: sharedTokens([encoded, other]) };
  }

  private async encodeLabelled(source: DatasetSample, conversation: Conversation, config: EncodingConfig): Promise<EncodedSample> {
    const options = { maxLength: config.max_length, ...mediaOptions(config), assistantTurns: config.assistant_turns, labelsWithThinkPrefix: config.labels_with_think_prefix };
    const encoded = await this.processor.encodeSample({ ...source, conversation }, options);
    if (encoded.labelTokens === 0) {
      throw new LorikeetError('dataset', `Sample ${source.id} has nothing to learn: its answer is empty, or marked as not to be learnt.`, 'Give it an answer to learn, or leave it out.', source.place);
    }
    return this.withCachedPixels(encoded, conversation, source, config);
  }

  /** Reads pictures and clips that no other sample has been checked with. */
  private async checkMedia(source: DatasetSample, encoded: EncodedSample): Promise<void> {
    for (const [i, index] of mediaOrder(source.conversation).entries()) {
      const key = this.keyOf(source.media[index]);
      if (this.readable.has(key)) continue;
      await encoded.pixels(i);
      this.readable.add(key);
    }
  }

  private withCachedPixels(encoded: EncodedSample, conversation: Conversation, source: DatasetSample, config: EncodingConfig): EncodedSample {
    const order = mediaOrder(conversation);
    return {
      ...encoded,
      pixels: (i) => this.cache.get(`${this.keyOf(source.media[order[i]])}:${JSON.stringify(mediaOptions(config))}`, () => encoded.pixels(i)),
    };
  }

  /** The same for the same files, shown in the same way. */
  private keyOf(medium: Media<PathFile>): string {
    const ids = filesOf(medium).map((file) => this.idOf(file));
    return medium.kind === 'frames' ? `${medium.kind} ${ids.join(' ')} ${medium.fps}` : `${medium.kind} ${ids[0]}`;
  }

  private idOf(file: PathFile): number {
    const known = this.fileIds.get(file);
    if (known !== undefined) return known;
    this.fileIds.set(file, ++this.files);
    return this.files;
  }
}

/** What must be mended before what may be looked at. */
function errorsFirst(problems: readonly DatasetProblem[]): DatasetProblem[] {
  return [...problems.filter(({ level }) => level === 'error'), ...problems.filter(({ level }) => level === 'warning')];
}

/** Tells one set of encoded training samples, in its order, from any other. */
export async function fingerprintSamples(samples: readonly SessionSample[]): Promise<string> {
  const hashes: string[] = [];
  for (const { encoded, rejected } of samples) {
    const sides = [encoded, ...(rejected ? [rejected] : [])];
    const sums = await Promise.all(sides.map((side) => sha256(bytesOf(side))));
    hashes.push(`${hashes.length} ${sums.join(' ')}`);
  }
  return fingerprintLines(hashes);
}

function bytesOf({ inputIds, labels, media }: EncodedSample): Uint8Array<ArrayBuffer> {
  const grids = media.map(({ grid }) => grid);
  const bytes = new Int32Array(inputIds.length + labels.length + grids.length * 3);
  bytes.set(inputIds);
  bytes.set(labels, inputIds.length);
  bytes.set(grids.flat(), inputIds.length + labels.length);
  return new Uint8Array(bytes.buffer);
}

/** Says of a fault which answer of the pair it is about; images belong to both. */
async function ofSide(side: 'chosen' | 'rejected', encoding: Promise<EncodedSample>): Promise<EncodedSample> {
  try {
    return await encoding;
  } catch (error) {
    if (!(error instanceof LorikeetError) || error.code === 'image' || error.code === 'video') throw error;
    throw new LorikeetError(error.code, `The ${side} side: ${error.message}`, error.advice, { ...error.place, field: side }, { cause: error });
  }
}

/** Counts for the page; tokens only once a model has encoded the samples, both sides of a pair counting for themselves. */
export function summarizeDataset(dataset: Dataset, encoded: CheckedDataset | null): Omit<DatasetSummary, 'profile'> {
  const { images, videos, annotations, unknown } = dataset;
  const parts = encoded ? { train: encoded.train.map(({ source }) => source), validation: encoded.validation.map(({ source }) => source) } : dataset;
  const asked = { annotations, unknown, boxQuestions: dataset.pixelSuspects.map((file) => ({ file, sample: sampleOf(file, parts) })) };
  if (!encoded) {
    const { rejected, problems, problemCount, errorCount } = dataset;
    return { trainSamples: dataset.train.length, validationSamples: dataset.validation.length, tokens: null, images, videos, rejected, problems, problemCount, errorCount, ...asked };
  }
  const all = [...encoded.train, ...encoded.validation].flatMap((sample) => [sample.encoded, ...(sample.rejected ? [sample.rejected] : [])]);
  const lengths = all.map(({ inputIds }) => inputIds.length).sort((a, b) => a - b);
  const tokens = lengths.reduce((sum, length) => sum + length, 0);
  const mediaTokens = all.reduce((sum, { visionRows }) => sum + visionRows.length, 0);
  const { rejected, problems, problemCount, errorCount } = encoded;
  return {
    trainSamples: encoded.train.length,
    validationSamples: encoded.validation.length,
    tokens:
      lengths.length === 0
        ? null
        : { min: lengths[0], median: lengths[Math.floor(lengths.length / 2)], max: lengths[lengths.length - 1], mediaShare: mediaTokens / tokens },
    images,
    videos,
    rejected,
    problems,
    problemCount,
    errorCount,
    ...asked,
  };
}

/** The first usable sample of a file whose answer has boxes. */
function sampleOf(file: string, parts: Record<SplitName, readonly DatasetSample[]>): { split: SplitName; index: number } | null {
  for (const split of ['train', 'validation'] as const) {
    const index = parts[split].findIndex((sample) => sample.place.file === file && extractBoxes(answerOf(sample.conversation)).length > 0);
    if (index >= 0) return { split, index };
  }
  return null;
}

/** Maps with a few at a time, keeping the order. */
async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  let rested = performance.now();
  const worker = async () => {
    while (next < items.length) {
      const i = next++;
      results[i] = await work(items[i]);
      if (performance.now() - rested < STRETCH_MS) continue;
      // Text is encoded without ever giving the thread back: other requests would not be heard.
      await new Promise((resume) => setTimeout(resume, 0));
      rested = performance.now();
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, items.length) }, worker));
  return results;
}
