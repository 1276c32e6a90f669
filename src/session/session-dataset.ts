/** The dataset of a session: as it was read, and as the present model and settings see it. */
import { previewSample, readDataset } from '../data/dataset.ts';
import type { Dataset } from '../data/dataset.ts';
import type { TrainingConfig } from '../protocol/config.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { DatasetSource, DatasetSummary, PathFile, SamplePreview, SplitName } from '../protocol/messages.ts';
import { imageOrder } from '../processing/conversation.ts';
import { fingerprintDataset, reopenDataset } from '../storage/sources.ts';
import type { DatasetReference } from '../storage/sources.ts';
import { countLabelTokens } from '../training/feeder.ts';
import { demoDataset } from './demo.ts';
import { countOf, summarizeDataset } from './encoded-dataset.ts';
import type { EncodedDataset } from './encoded-dataset.ts';
import type { ReportProgress } from './progress.ts';
import type { OpenModel } from './session-model.ts';

interface ReadDataset {
  source: DatasetSource;
  files: { train: PathFile[]; validation: PathFile[] };
  dataset: Dataset;
  /** The settings that decide about the split. */
  readKey: string;
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

  /** Reads a dataset, and encodes it where there is a model. */
  async load(source: DatasetSource, model: OpenModel | null, config: TrainingConfig): Promise<DatasetSummary> {
    const files = source.kind === 'demo' ? await demoDataset(this.demoUrl, this.progress('dataset', 'images')) : source;
    this.current = { source, files, ...(await readFiles(source, files, config)), encoded: null };
    const encoded = model ? await this.encode(model, config) : null;
    return summarizeDataset(this.current.dataset, encoded, model?.processor.imageTokenId ?? null);
  }

  /** The dataset as these settings and this model see it. */
  async encode({ encoder }: OpenModel, config: TrainingConfig): Promise<EncodedDataset> {
    const current = this.require();
    if (current.readKey !== readKey(config)) {
      Object.assign(current, await readFiles(current.source, current.files, config), { encoded: null });
    }
    const key = JSON.stringify([config.max_length, config.max_image_size, config.assistant_turns]);
    if (current.encoded?.key === key && current.encoded.encoder === encoder) return current.encoded.data;
    const data = await encoder.encode(current.dataset, config, this.progress('dataset', 'samples'));
    current.encoded = { key, encoder, data };
    return data;
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
    const images = imageOrder(source.conversation).map((i) => source.imageFiles[i].file);
    const tokens = encoded && {
      total: encoded.inputIds.length,
      image: countOf(encoded.inputIds, model?.processor.imageTokenId ?? null),
      label: countLabelTokens(encoded),
    };
    return { split, index, id: source.id, images, ...previewSample(source), tokens };
  }

  /**
   * Makes the dataset of a stored run the present one.
   * @throws LorikeetError "resume", field "dataset", when the user has to give its files again
   */
  async returnTo(reference: DatasetReference, model: OpenModel, config: TrainingConfig): Promise<void> {
    if (this.current && (await isSame(this.current.source, reference))) return;
    await this.load(await reopenDataset(reference), model, config);
  }

  private require(): ReadDataset {
    if (!this.current) throw new LorikeetError('config', 'No dataset is loaded.', 'Choose a dataset first.');
    return this.current;
  }
}

async function isSame(source: DatasetSource, reference: DatasetReference): Promise<boolean> {
  if (source.kind !== 'files' || reference.kind !== 'files') return source.kind === reference.kind;
  return (await fingerprintDataset(source)) === reference.fingerprint;
}

function readKey({ validation_split, seed }: TrainingConfig): string {
  return JSON.stringify([validation_split, seed]);
}

/** The demo model was taught prompts that begin with the line break after the image. */
async function readFiles(source: DatasetSource, files: ReadDataset['files'], config: TrainingConfig): Promise<Pick<ReadDataset, 'dataset' | 'readKey'>> {
  const options = { validationSplit: config.validation_split, seed: config.seed, keepImageNewline: source.kind === 'demo' };
  return { dataset: await readDataset(files, options), readKey: readKey(config) };
}
