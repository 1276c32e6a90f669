/** The dataset of a session: as it was read, and as the present model and settings see it. */
import { previewSample, readDataset } from '../data/dataset.ts';
import type { Dataset, DatasetKind, DatasetOptions } from '../data/dataset.ts';
import { boxUnitOf, type BoxUnit, type TrainingConfig } from '../protocol/config.ts';
import { LorikeetError } from '../protocol/errors.ts';
import { withFiles } from '../protocol/media.ts';
import type { DatasetSource, DatasetSummary, PathFile, SamplePreview, SplitName } from '../protocol/messages.ts';
import type { ReadingChoices } from '../protocol/reading-choices.ts';
import { mediaOrder } from '../processing/conversation.ts';
import { seenSize } from '../processing/prepare-image.ts';
import { fingerprintDataset, reopenDataset } from '../storage/sources.ts';
import type { DatasetReference } from '../storage/sources.ts';
import { drawnBoxes, scoredPrompt } from './answers.ts';
import { EMPTY_PROFILE, profileOf } from './data-profile.ts';
import { demoDataset } from './demo.ts';
import { mediaOptions, summarizeDataset } from './encoded-dataset.ts';
import type { EncodedDataset, SessionSample } from './encoded-dataset.ts';
import type { ReportProgress } from './progress.ts';
import type { OpenModel } from './session-model.ts';

/** More samples than anybody should have to wait for before the first is shown. */
const MAX_ENCODED_AT_ONCE = 2000;

interface ReadDataset {
  source: DatasetSource;
  files: { train: PathFile[]; validation: PathFile[] };
  dataset: Dataset;
  /** What `files` were fetched for; only the demo has several sets. */
  filesKind: DatasetKind;
  /** The settings that decide what the samples are and how they are split. */
  readKey: string;
  /** Unit of the boxes in answers, as the settings had it last. */
  boxes: BoxUnit;
  encoded: { key: string; encoder: OpenModel['encoder']; data: EncodedDataset } | null;
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

  /** Reads a dataset, and encodes it where there is a model. Of very many samples the reading alone is waited for: `check` does the rest. */
  async load(source: DatasetSource, model: OpenModel | null, config: TrainingConfig): Promise<DatasetSummary> {
    const files = await this.filesOf(source, kindOf(config));
    this.current = { source, files, filesKind: kindOf(config), ...(await readFiles(source, files, config, model)), boxes: boxUnitOf(config), encoded: null };
    const { train, validation } = this.current.dataset;
    if (model && train.length + validation.length > MAX_ENCODED_AT_ONCE) return { ...summarizeDataset(this.current.dataset, null), profile: EMPTY_PROFILE, unchecked: true };
    return this.check(model, config);
  }

  /** Encodes the present dataset where there is a model, and says what it is now. */
  async check(model: OpenModel | null, config: TrainingConfig): Promise<DatasetSummary> {
    return this.summary(model ? await this.encode(model, config) : null, model);
  }

  private async summary(encoded: EncodedDataset | null, model: OpenModel | null): Promise<DatasetSummary> {
    const { dataset } = this.require();
    const parts = encoded ? { train: encoded.train.map(sourceOf), validation: encoded.validation.map(sourceOf) } : dataset;
    return { ...summarizeDataset(dataset, encoded), profile: await profileOf(parts, encoded, model?.processor.preprocessor.patchSize ?? 0) };
  }

  /** The dataset as these settings and this model see it. */
  async encode(model: OpenModel, config: TrainingConfig): Promise<EncodedDataset> {
    const { encoder } = model;
    const current = this.require();
    current.boxes = boxUnitOf(config);
    if (current.readKey !== readKey(config, model)) {
      const filesKind = kindOf(config);
      const files = current.filesKind === filesKind ? current.files : await this.filesOf(current.source, filesKind);
      Object.assign(current, { files, filesKind }, await readFiles(current.source, files, config, model), { encoded: null });
    }
    const key = JSON.stringify([config.max_length, config.assistant_turns, config.enable_thinking, config.labels_with_think_prefix, mediaOptions(config)]);
    if (current.encoded?.key === key && current.encoded.encoder === encoder) return current.encoded.data;
    const data = await encoder.encode(current.dataset, config, this.progress('dataset', 'samples'));
    current.encoded = { key, encoder, data };
    return data;
  }

  /** The loaded samples with their answers, also while the present method reads them as something else. */
  async asConversations(config: TrainingConfig, model: OpenModel | null): Promise<Dataset> {
    const current = this.require();
    if (current.dataset.kind === 'conversations') return current.dataset;
    const files = current.filesKind === 'conversations' ? current.files : await this.filesOf(current.source, 'conversations');
    return (await readFiles(current.source, files, { ...config, method: 'sft' }, model)).dataset;
  }

  /**
   * One sample for the page.
   * @param index from 0, among the usable samples
   */
  sample(split: SplitName, index: number, model: OpenModel | null): SamplePreview {
    const current = this.require();
    const encodings = current.encoded?.data[split];
    const sources = encodings ? encodings.map(({ source }) => source) : current.dataset[split];
    const source = index < 0 ? undefined : sources[index];
    if (!source) {
      throw new LorikeetError('dataset', `There is no sample ${index + 1} among the ${sources.length} of the ${split} split.`, '', { sample: index + 1 });
    }
    const encoded = encodings?.[index].encoded ?? null;
    const media = mediaOrder(source.conversation).map((i) => withFiles(source.media[i], ({ file }) => file));
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

  private async filesOf(source: DatasetSource, kind: DatasetKind): Promise<ReadDataset['files']> {
    return source.kind === 'demo' ? demoDataset(this.demoUrl, source.set, kind, this.progress('dataset', 'images')) : source;
  }

  private require(): ReadDataset {
    if (!this.current) throw new LorikeetError('config', 'No dataset is loaded.', 'Choose a dataset first.');
    return this.current;
  }
}

async function isSame(source: DatasetSource, reference: DatasetReference): Promise<boolean> {
  if (source.kind === 'demo' || reference.kind === 'demo') return source.kind === 'demo' && reference.kind === 'demo' && source.set === reference.set;
  return (await fingerprintDataset(source)) === reference.fingerprint;
}

const sourceOf = ({ source }: SessionSample) => source;

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
async function readFiles(source: DatasetSource, files: ReadDataset['files'], config: TrainingConfig, model: OpenModel | null): Promise<Pick<ReadDataset, 'dataset' | 'readKey'>> {
  const options: DatasetOptions = {
    kind: kindOf(config),
    boxes: boxUnitOf(config),
    validationSplit: config.validation_split,
    seed: config.seed,
    keepImageNewline: source.kind === 'demo',
    ...(source.kind === 'files' && source.choices && { choices: source.choices }),
    ...(model && { seenSize: (stored) => seenSize(stored, model.processor.preprocessor, config.max_image_size) }),
  };
  return { dataset: await readDataset(files, options), readKey: readKey(config, model) };
}
