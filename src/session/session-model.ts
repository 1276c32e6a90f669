/** The model of a session: its files, its processor, and its weights on the GPU in the form the settings ask for. */
import type { FileSource } from '../checkpoint/file-source.ts';
import { ModelFiles } from '../checkpoint/model-files.ts';
import { parameterCount } from '../families/architecture.ts';
import { ADVISED_QUANTIZATION, type TrainingConfig } from '../protocol/config.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { KeptWeights, ModelSource, ModelSummary, PathFile } from '../protocol/messages.ts';
import { Processor } from '../processing/processor.ts';
import { FileWorker } from '../storage/file-worker.ts';
import { isModel, modelChanged, recogniseModel, reopenModel } from '../storage/sources.ts';
import type { ModelPrint, ModelReference } from '../storage/sources.ts';
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
  print: ModelPrint;
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
  private readonly worker = new FileWorker();

  constructor(
    private readonly engine: () => Promise<Engine>,
    private readonly demoUrl: string,
    private readonly progress: ReportProgress,
    /** Hears what became of weights that were still being written when their model was loaded. */
    private readonly onKept: (kept: KeptWeights) => void,
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
    const { name, print } = await recogniseModel(source);
    if (this.current && this.current.source.kind === source.kind && samePrint(this.current.print, print)) {
      this.current = { ...this.current, name, print, source };
    } else {
      const files = await ModelFiles.open(await this.filesOf(source), this.worker.read);
      const processor = await Processor.fromFiles(files.readText, files.architecture);
      this.dropWeights();
      this.current = { name, print, source, files, processor, encoder: new SampleEncoder(processor, new ImageCache()) };
    }
    await this.quantized(advised ? { ...config, ...ADVISED_QUANTIZATION[this.current.files.architecture.quantizationAdvice] } : config);
    return summarize(this.current, this.kept);
  }

  /** Weights on the GPU, quantised as these settings say. */
  async quantized(config: TrainingConfig): Promise<LoadedModel> {
    const { files, name, print } = this.require();
    const key = JSON.stringify([config.load_in_4bit, config.load_in_8bit, config.quantize_vision]);
    if (this.weights?.key === key) return this.weights.loaded;
    const engine = await this.engine();
    this.dropWeights();
    const { load_in_4bit, load_in_8bit, quantize_vision } = config;
    const opened = await openWeightCache({ name, print, files, form: { load_in_4bit, load_in_8bit, quantize_vision }, bytes: weightBytes(files.architecture, config) });
    try {
      const loaded = await engine.load(files, (module) => weightKind(module, config), this.progress('model', 'weights'), opened.cache);
      const { now, settled } = await opened.finish();
      this.kept = now;
      this.weights = { loaded, key };
      if (now === 'writing') void settled.then((kept) => this.settle(loaded, kept));
      // A run will ask for it; who starts none at once has it by then.
      print.whole().catch(() => undefined);
      return loaded;
    } catch (error) {
      await opened.abandon();
      throw error;
    } finally {
      this.worker.rest();
    }
  }

  private settle(loaded: LoadedModel, kept: KeptWeights): void {
    if (this.weights?.loaded !== loaded) return;
    this.kept = kept;
    // After the answer to whoever loaded the model, which may be under way.
    setTimeout(() => this.onKept(kept));
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
    if (this.current && (await isReferredTo(this.current, reference))) return;
    if (this.current && reference.kind === 'files' && !reference.handle) throw modelChanged(reference.name);
    await this.load(await reopenModel(reference), config);
  }

  private dropWeights(): void {
    this.weights?.loaded.dispose();
    this.weights = null;
  }
}

function samePrint(a: ModelPrint, b: ModelPrint): boolean {
  return a.provisional === b.provisional || (a.known !== null && a.known === b.known);
}

async function isReferredTo({ source, print }: OpenModel, reference: ModelReference): Promise<boolean> {
  if (source.kind === 'demo' || reference.kind === 'demo') return source.kind === reference.kind;
  // Runs of old noted less of their model's files: what is open may be theirs all the same.
  return source.kind === 'files' ? isModel(source.files, reference.fingerprint) : print.known === reference.fingerprint;
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
