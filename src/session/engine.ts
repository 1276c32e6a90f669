/** What a session needs of the GPU; the real one is put in by the worker, tests put in a small one. */
import type { Adapter } from '../checkpoint/adapter.ts';
import type { ModelFiles } from '../checkpoint/model-files.ts';
import type { LinearModule } from '../families/architecture.ts';
import type { TrainingConfig } from '../protocol/config.ts';
import type { WeightCache } from '../quantization/weight-cache.ts';
import type { LorikeetError } from '../protocol/errors.ts';
import type { DeviceSummary, PowerPreference } from '../protocol/messages.ts';
import type { TunedClass } from '../protocol/tuning.ts';
import type { WeightKind } from '../quantization/packed-weight.ts';
import type { Candidates } from '../training/side-by-side.ts';
import type { TrainableModel } from '../training/trainable-model.ts';
import type { WorkSpeed } from '../training/work.ts';

export interface Engine {
  readonly device: DeviceSummary;
  /** As measured on this device at its opening; null when unknown. */
  readonly speed: WorkSpeed | null;
  readonly kernels: KernelChoices;
  /** Resolves with the reason when the GPU goes away. */
  readonly lost: Promise<LorikeetError>;
  /**
   * Puts a model's weights on the GPU.
   * @param kindOf how each linear layer is stored
   * @param onProgress bytes read so far, of all
   * @param cache where packed weights are taken from and kept; null: nowhere
   * @throws LorikeetError "out-of-memory", and whatever reading the files throws
   */
  load(files: ModelFiles, kindOf: (module: LinearModule) => WeightKind, onProgress: (done: number, total: number) => void, cache: WeightCache | null): Promise<LoadedModel>;
}

/** Names of variants by the key of their class. */
export type Choices = Readonly<Record<string, string>>;

/** Which of several forms the device's kernels take. */
export interface KernelChoices {
  /** Number of the forms that there are: what was chosen among others means nothing. */
  readonly version: number;
  /** Keys of the classes that can be tuned, the weightiest first. */
  readonly classes: readonly string[];
  /** Those in force; classes that are not among them go by the kernels' own order. */
  readonly inForce: Choices;
  /**
   * Takes these and no others.
   * @returns keys of those that cannot be kept on this device
   */
  use(choices: Choices): string[];
  /**
   * Finds the fastest form for a class. Nothing else may use the GPU meanwhile.
   * @param ended asked before each form
   * @returns null when it was ended before, and where there is nothing to choose from
   */
  race(key: string, ended: () => boolean): Promise<TunedClass | null>;
}

export interface LoadedModel {
  /**
   * Gives the model a fresh adapter, seeded by `config.seed`, and a fresh optimizer; replaces any before.
   * @throws LorikeetError "config" when target_modules match nothing, "out-of-memory"
   */
  attachAdapter(config: TrainingConfig): Promise<TrainableModel>;
  /**
   * Candidates that answer the same prompts, beside whatever is attached.
   * @param adapters null = the base model alone
   * @throws LorikeetError "adapter", "out-of-memory"
   */
  candidates(adapters: readonly (Adapter | null)[], config: TrainingConfig): Promise<Candidates>;
  /** Gives the GPU memory back. */
  dispose(): void;
}

/** @throws LorikeetError "webgpu-missing", "self-test-failed" */
export type OpenEngine = (power: PowerPreference) => Promise<Engine>;
