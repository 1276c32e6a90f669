/** The dataset of a session: as it was read, and as the present model and settings see it. */
import { openDataset, previewSample, readDataset } from '../data/dataset.ts';
import type { Dataset, DatasetKind, DatasetOptions, OpenedDataset } from '../data/dataset.ts';
import { boxUnitOf, type BoxUnit, type TrainingConfig } from '../protocol/config.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { DatasetSource, DatasetSummary, SamplePreview, SplitName } from '../protocol/messages.ts';
import type { ReadingChoices } from '../protocol/reading-choices.ts';
import { mediaOrder } from '../processing/conversation.ts';
import { seenSize } from '../processing/prepare-image.ts';
import { isDataset, reopenDataset } from '../storage/sources.ts';
import type { DatasetReference } from '../storage/sources.ts';
import { drawnBoxes, scoredPrompt } from './answers.ts';
import { EMPTY_PROFILE, profileOf } from './data-profile.ts';
import { demoDataset } from './demo.ts';
import { mediaOptions, summarizeDataset } from './encoded-dataset.ts';
import { plainMedium } from './plain-media.ts';
import type { CheckedDataset } from './encoded-dataset.ts';
import { GradualDataset } from './gradual-dataset.ts';
import type { ReportProgress } from './progress.ts';
import { wholeData, type MeasuredSample, type RunData } from './run-data.ts';
import type { OpenModel } from './session-model.ts';

/** More samples are encoded when a run comes to them; fewer all before anything else. */
const MAX_ENCODED_AT_ONCE = 2000;
/** Records of a first look at files that take long to read, and what makes them so. */
const HEAD_RECORDS = 200;
const LONG_BYTES = 2 * 2 ** 20;

/** Samples as a model sees them. */
interface Encoded {
  key: string;
  encoder: OpenModel['encoder'];
  run: RunData;
  /** Where samples are encoded one by one. */
  gradual: GradualDataset | null;
  /** Once all have been. */
  checked: CheckedDataset | null;
}

interface ReadDataset {
  source: DatasetSource;
  files: OpenedDataset;
  /** What `files` were fetched for; only the demo has several sets. */
  filesKind: DatasetKind;
  dataset: Dataset;
  /** The settings that decide what the samples are and how they are split; null while only the first records have been read. */
  readKey: string | null;
  reading: { key: string; done: Promise<void> } | null;
  /** Unit of the boxes in answers, as the settings had it last. */
  boxes: BoxUnit;
  encoding: { key: string; encoder: OpenModel['encoder']; done: Promise<Encoded> } | null;
  encoded: Encoded | null;
}

export class SessionDataset {
  private current: ReadDataset | null = null;

  constructor(
    private readonly demoUrl: string,
    private readonly progress: ReportProgress,
  ) {}

  /** @throws LorikeetError "config" when there is none */
  get source(): DatasetSource {
    return this.require().source;
  }

  /**
   * Reads a dataset, and encodes it where there is a model. Of long files the first records alone are waited for, of very
   * many samples the reading alone: `check` does the rest.
   */
  async load(source: DatasetSource, model: OpenModel | null, config: TrainingConfig): Promise<DatasetSummary> {
    const filesKind = kindOf(config);
    const files = await this.filesOf(source, filesKind);
    const head = isLong(files) ? await readFiles(source, files, config, model, HEAD_RECORDS) : null;
    this.current?.encoded?.gradual?.stop();
    const shown = head && head.train.length > 0 && head.unknown.length + head.pixelSuspects.length === 0 ? head : null;
    const dataset = shown ?? (await readFiles(source, files, config, model));
    this.current = { source, files, filesKind, dataset, readKey: shown ? null : readKey(config, model), reading: null, boxes: boxUnitOf(config), encoding: null, encoded: null };
    const first = { ...summarizeDataset(dataset, null), profile: EMPTY_PROFILE, unchecked: true };
    // What a first look finds wrong is said once all has been looked at: by then it may be explained.
    if (shown) return { ...first, rejected: 0, problems: [], problemCount: 0, errorCount: 0, beginning: true };
    if (model && isLarge(dataset)) return first;
    return this.check(model, config);
  }

  /**
   * Encodes the present dataset where there is a model, and says what it is now; still unchecked where it has been read or
   * encoded anew meanwhile.
   * @param busy whether a run is under way, which comes first
   */
  async check(model: OpenModel | null, config: TrainingConfig, busy: () => boolean = () => false): Promise<DatasetSummary> {
    const current = this.require();
    if (!model) {
      await this.read(current, config, null);
      return this.summary(current, null, 0);
    }
    const encoded = await this.encoded(current, model, config);
    const { gradual } = encoded;
    if (gradual && !encoded.checked) {
      await gradual.check(this.progress('dataset', 'samples'), busy);
      const { problems, ...parts } = gradual.measured();
      if (current !== this.current || current.encoded !== encoded) return { ...summarizeDataset(current.dataset, null), profile: EMPTY_PROFILE, unchecked: true };
      encoded.checked = await encoded.encoder.conclude(current.dataset, parts, problems);
    }
    return this.summary(current, encoded.checked, model.processor.preprocessor.patchSize);
  }

  private async summary({ dataset }: ReadDataset, checked: CheckedDataset | null, patchSize: number): Promise<DatasetSummary> {
    const parts = checked ? { train: checked.train.map(sourceOf), validation: checked.validation.map(sourceOf) } : dataset;
    return { ...summarizeDataset(dataset, checked), profile: await profileOf(parts, checked, patchSize) };
  }

  /** The dataset as these settings and this model see it. */
  async encode(model: OpenModel, config: TrainingConfig): Promise<RunData> {
    return (await this.encoded(this.require(), model, config)).run;
  }

  /** Reads all files with these settings, unless that has been done. */
  private async read(current: ReadDataset, config: TrainingConfig, model: OpenModel | null): Promise<void> {
    const key = readKey(config, model);
    if (current.readKey === key) return;
    if (current.reading?.key !== key) current.reading = { key, done: this.readAnew(current, config, model, key) };
    try {
      await current.reading.done;
    } finally {
      if (current.reading?.key === key) current.reading = null;
    }
  }

  private async readAnew(current: ReadDataset, config: TrainingConfig, model: OpenModel | null, key: string): Promise<void> {
    const filesKind = kindOf(config);
    const files = current.filesKind === filesKind ? current.files : await this.filesOf(current.source, filesKind);
    const dataset = await readFiles(current.source, files, config, model);
    current.encoded?.gradual?.stop();
    Object.assign(current, { files, filesKind, dataset, readKey: key, encoding: null, encoded: null });
  }

  private async encoded(current: ReadDataset, model: OpenModel, config: TrainingConfig): Promise<Encoded> {
    const { encoder } = model;
    current.boxes = boxUnitOf(config);
    await this.read(current, config, model);
    const key = JSON.stringify([config.max_length, config.assistant_turns, config.enable_thinking, config.labels_with_think_prefix, mediaOptions(config)]);
    if (current.encoding?.key !== key || current.encoding.encoder !== encoder) {
      current.encoded?.gradual?.stop();
      const encoding = { key, encoder, done: this.encodeAnew(current.dataset, model, config, key) };
      current.encoding = encoding;
      encoding.done.then(
        (encoded) => (current.encoding === encoding ? (current.encoded = encoded) : undefined),
        () => (current.encoding === encoding ? (current.encoding = null) : undefined),
      );
    }
    return current.encoding.done;
  }

  private async encodeAnew(dataset: Dataset, { encoder }: OpenModel, config: TrainingConfig, key: string): Promise<Encoded> {
    if (isLarge(dataset)) {
      const gradual = new GradualDataset(dataset, (sample) => encoder.encodeSample(sample, dataset.kind, config), key);
      return { key, encoder, run: gradual, gradual, checked: null };
    }
    const checked = await encoder.encode(dataset, config, this.progress('dataset', 'samples'));
    return { key, encoder, run: wholeData(checked), gradual: null, checked };
  }

  /** The loaded samples as questions with their answers where they have any, whatever the present method reads them as. */
  async asQuestions(config: TrainingConfig, model: OpenModel | null): Promise<Dataset> {
    const current = this.require();
    const files = current.filesKind === 'preference' ? await this.filesOf(current.source, 'prompts') : current.files;
    return readFiles(current.source, files, { ...config, method: 'grpo' }, model);
  }

  /** The loaded samples with their answers, also while the present method reads them as something else. */
  async asConversations(config: TrainingConfig, model: OpenModel | null): Promise<Dataset> {
    const current = this.require();
    if (current.dataset.kind === 'conversations' && current.readKey !== null) return current.dataset;
    const files = current.filesKind === 'conversations' ? current.files : await this.filesOf(current.source, 'conversations');
    return readFiles(current.source, files, { ...config, method: 'sft' }, model);
  }

  /**
   * One sample for the page.
   * @param index from 0, among the usable samples
   * @throws LorikeetError "dataset" for an index beyond them, "image" when a picture cannot be unpacked
   */
  async sample(split: SplitName, index: number, model: OpenModel | null): Promise<SamplePreview> {
    const current = this.require();
    const { checked, gradual } = current.encoded ?? { checked: null, gradual: null };
    const sources = checked ? checked[split].map(sourceOf) : current.dataset[split];
    const source = index < 0 ? undefined : sources[index];
    if (!source) {
      throw new LorikeetError('dataset', `There is no sample ${index + 1} among the ${sources.length} of the ${split} split.`, '', { sample: index + 1 });
    }
    const encoded = (checked ? checked[split][index] : gradual?.[split].measuredAt(index))?.encoded ?? null;
    const media = await Promise.all(mediaOrder(source.conversation).map((i) => plainMedium(source.media[i])));
    const tokens = encoded && {
      total: encoded.inputIds.length,
      media: encoded.visionRows.length,
      label: encoded.labelTokens,
    };
    const scored = scoredPrompt(source, encoded?.media ?? [], model?.processor.preprocessor.patchSize ?? 0);
    return { split, index, id: source.id, media, ...previewSample(source), boxes: drawnBoxes(scored.truth, current.boxes, scored), scored, tokens };
  }

  /**
   * Makes the dataset of a stored run the present one.
   * @throws LorikeetError "resume", field "dataset", when the user has to give its files again
   */
  async returnTo(reference: DatasetReference, model: OpenModel, config: TrainingConfig): Promise<void> {
    const source = this.current && (await isSame(this.current.source, reference)) ? this.current.source : await reopenDataset(reference);
    // Other choices make other samples of the same files: the run's own count.
    const chosen = source.kind === 'files' && reference.kind === 'files' ? { ...source, choices: reference.choices } : source;
    if (this.current?.source === source && JSON.stringify(choicesOf(source)) === JSON.stringify(choicesOf(chosen))) return;
    await this.load(chosen, model, config);
  }

  private async filesOf(source: DatasetSource, kind: DatasetKind): Promise<OpenedDataset> {
    return openDataset(source.kind === 'demo' ? await demoDataset(this.demoUrl, source.set, kind, this.progress('dataset', 'images')) : source);
  }

  private require(): ReadDataset {
    if (!this.current) throw new LorikeetError('config', 'No dataset is loaded.', 'Choose a dataset first.');
    return this.current;
  }
}

async function isSame(source: DatasetSource, reference: DatasetReference): Promise<boolean> {
  if (source.kind === 'demo' || reference.kind === 'demo') return source.kind === 'demo' && reference.kind === 'demo' && source.set === reference.set;
  return isDataset(source, reference.fingerprint);
}

const sourceOf = ({ source }: MeasuredSample) => source;

const isLarge = ({ train, validation }: Dataset) => train.length + validation.length > MAX_ENCODED_AT_ONCE;

const isLong = ({ main, extra }: OpenedDataset) => [...main.records, ...extra.records].reduce((sum, { file }) => sum + file.size, 0) > LONG_BYTES;

function choicesOf(source: DatasetSource): ReadingChoices {
  return (source.kind === 'files' && source.choices) || {};
}

const KINDS: Readonly<Record<TrainingConfig['method'], DatasetKind>> = { sft: 'conversations', dpo: 'preference', grpo: 'prompts', 'grpo-trl': 'prompts' };

/** What a method needs its samples to be. */
export function kindOf({ method }: Pick<TrainingConfig, 'method'>): DatasetKind {
  return KINDS[method];
}

function readKey(config: TrainingConfig, model: OpenModel | null): string {
  const seen = boxUnitOf(config) === 'pixels' && model ? [model.processor.preprocessor, config.max_image_size] : null;
  return JSON.stringify([kindOf(config), boxUnitOf(config), config.validation_split, config.seed, seen]);
}

/** The demo model was taught prompts that begin with the line break after the image. */
async function readFiles(source: DatasetSource, files: OpenedDataset, config: TrainingConfig, model: OpenModel | null, head?: number): Promise<Dataset> {
  const options: DatasetOptions = {
    kind: kindOf(config),
    boxes: boxUnitOf(config),
    validationSplit: config.validation_split,
    seed: config.seed,
    ...(head !== undefined && { head }),
    keepImageNewline: source.kind === 'demo',
    ...(source.kind === 'files' && source.choices && { choices: source.choices }),
    ...(model && { seenSize: (stored) => seenSize(stored, model.processor.preprocessor, config.max_image_size) }),
  };
  return readDataset(files, options);
}
