/** The model of a session: its files, its processor, and its weights on the GPU in the form the settings ask for. */
import type { FileSource } from '../checkpoint/file-source.ts';
import { ModelFiles } from '../checkpoint/model-files.ts';
import { parameterCount } from '../families/architecture.ts';
import { ADVISED_QUANTIZATION, type TrainingConfig } from '../protocol/config.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { KeptWeights, ModelSource, ModelSummary, PathFile } from '../protocol/messages.ts';
import { Processor } from '../processing/processor.ts';
import { isModel, modelChanged, referToModel, reopenModel } from '../storage/sources.ts';
import type { ModelReference } from '../storage/sources.ts';
import { openWeightCache } from '../storage/packed/open-cache.ts';
import { packedSource } from '../storage/packed/source.ts';
import { weightBytes, weightKind } from '../training/planner.ts';
import { demoModel } from './demo.ts';
import { SampleEncoder } from './encoded-dataset.ts';
import type { Engine, LoadedModel } from './engine.ts';
import { ImageCache } from './image-cache.ts';
import type { ReportProgress } from './progress.ts';

export interface OpenModel {
  name: string;
  reference: ModelReference;
  source: ModelSource;
  files: ModelFiles;
  processor: Processor;
  encoder: SampleEncoder;
}

export class SessionModel {
  private current: OpenModel | null = null;
  /** Weights on the GPU, and the settings they were loaded with. */
  private weights: { loaded: LoadedModel; key: string } | null = null;
  private kept: KeptWeights = 'refused';

  constructor(
    private readonly engine: () => Promise<Engine>,
    private readonly demoUrl: string,
    private readonly progress: ReportProgress,
  ) {}

  get open(): OpenModel | null {
    return this.current;
  }

  /** @throws LorikeetError "config" when there is none */
  require(): OpenModel {
    if (!this.current) throw new LorikeetError('config', 'No model is loaded.', 'Choose a model first.');
    return this.current;
  }

  /**
   * Opens a model and puts its weights on the GPU; what is there already is kept.
   * @param advised weights are stored as the model's family advises, not as the config says
   */
  async load(source: ModelSource, config: TrainingConfig, advised = false): Promise<ModelSummary> {
    const reference = await referToModel(source);
    if (this.current && sameModel(this.current.reference, reference)) {
      this.current = { ...this.current, reference, source };
    } else {
      const files = await ModelFiles.open(await this.filesOf(source));
      const processor = await Processor.fromFiles(files.readText, files.architecture);
      this.dropWeights();
      const name = reference.kind === 'demo' ? 'demo' : reference.name;
      this.current = { name, reference, source, files, processor, encoder: new SampleEncoder(processor, new ImageCache()) };
    }
    await this.quantized(advised ? { ...config, ...ADVISED_QUANTIZATION[this.current.files.architecture.quantizationAdvice] } : config);
    return summarize(this.current, this.kept);
  }

  /** Weights on the GPU, quantised as these settings say. */
  async quantized(config: TrainingConfig): Promise<LoadedModel> {
    const { files, name, reference } = this.require();
    const key = JSON.stringify([config.load_in_4bit, config.load_in_8bit, config.quantize_vision]);
    if (this.weights?.key === key) return this.weights.loaded;
    const engine = await this.engine();
    this.dropWeights();
    const { load_in_4bit, load_in_8bit, quantize_vision } = config;
    const fingerprint = reference.kind === 'demo' ? 'demo' : reference.fingerprint;
    const opened = await openWeightCache({ name, fingerprint, files, form: { load_in_4bit, load_in_8bit, quantize_vision }, bytes: weightBytes(files.architecture, config) });
    try {
      const loaded = await engine.load(files, (module) => weightKind(module, config), this.progress('model', 'weights'), opened.cache);
      this.kept = await opened.finish();
      this.weights = { loaded, key };
      return loaded;
    } catch (error) {
      await opened.abandon();
      throw error;
    }
  }

  private async filesOf(source: ModelSource): Promise<FileSource | readonly PathFile[]> {
    switch (source.kind) {
      case 'demo':
        return demoModel(this.demoUrl);
      case 'packed':
        return packedSource(source.key);
      case 'files':
        return source.files;
    }
  }

  /**
   * Makes the model of a stored run the present one.
   * @throws LorikeetError "resume", field "model", when the user has to choose its folder
   */
  async returnTo(reference: ModelReference, config: TrainingConfig): Promise<void> {
    if (this.current && sameModel(this.current.reference, reference)) return;
    // Runs of old noted less of their model's files: what is open may be theirs all the same.
    if (this.current?.source.kind === 'files' && reference.kind === 'files' && (await isModel(this.current.source.files, reference.fingerprint))) return;
    if (this.current && reference.kind === 'files' && !reference.handle) throw modelChanged(reference.name);
    await this.load(await reopenModel(reference), config);
  }

  private dropWeights(): void {
    this.weights?.loaded.dispose();
    this.weights = null;
  }
}

function sameModel(a: ModelReference, b: ModelReference): boolean {
  return a.kind === 'files' && b.kind === 'files' ? a.fingerprint === b.fingerprint : a.kind === b.kind;
}

function summarize({ name, files }: OpenModel, keptWeights: KeptWeights): ModelSummary {
  const { config } = files;
  return {
    name,
    modelType: config.modelType,
    parameters: parameterCount(files.architecture),
    hiddenSize: config.hiddenSize,
    layers: config.numHiddenLayers,
    visionLayers: config.visionDepth,
    vocabularySize: config.vocabSize,
    fileBytes: files.fileBytes,
    boxUnit: files.architecture.boxUnit,
    quantizationAdvice: files.architecture.quantizationAdvice,
    keptWeights,
  };
}
