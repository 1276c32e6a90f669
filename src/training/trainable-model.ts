/** What the training loop needs of a model; implemented by AdaptedModel, faked in loop tests. */
import type { AdapterTensor } from '../checkpoint/adapter-tensor.ts';
import type { GeneratedAnswer, GenerationOptions } from '../generation/options.ts';
import type { AdamWSettings } from '../kernels/adamw.ts';
import type { Objective, ScoringOptions, TokenScores } from '../objectives/token-scores.ts';
import type { PackedBatch } from '../processing/types.ts';

/** Optimizer state aligned with the adapter tensors. */
export interface OptimizerState {
  step: number;
  /** Same names and shapes as the adapter. */
  m: AdapterTensor[];
  v: AdapterTensor[];
}

export interface TrainableModel {
  /** Told of the layers that the GPU has finished within a pass that trains, while passes take long; set by whoever wants to know. */
  onLayers?: ((done: number, total: number) => void) | null;
  /** Number of trainable scalars. */
  readonly trainableParameters: number;
  /**
   * Adds the gradient of Σ_l weight_l · nll_l to the gradient buffer.
   * @param weights L weights, e.g. 1 / label tokens of the whole accumulated batch
   * @param dropoutStep counter that makes dropout masks differ between micro-batches and repeat on recomputation
   * @returns handle to read Σ weight·nll later, so that the GPU never waits
   */
  forwardBackward(batch: PackedBatch, weights: Float32Array, dropoutStep: number): Promise<PendingScalar>;
  /**
   * A whole step on this batch that changes nothing: all weights of the loss are zero, the gradient is wiped before AdamW, and the
   * learning rate is zero. Only while AdamW's moments are zero, which they are before the first step.
   * @param scored the loss needs the log-probabilities first, as those of DPO and GRPO do
   * @returns seconds that forward, backward and optimizer take once their kernels are compiled
   * @throws LorikeetError "out-of-memory"
   */
  rehearse(batch: PackedBatch, scored: boolean): Promise<number>;
  /**
   * Work of which no fault is left behind: those of the GPU are thrown at its end.
   * @param batch that errors speak of
   * @throws LorikeetError "out-of-memory", and whatever `work` throws
   */
  contained<T>(batch: PackedBatch, work: () => Promise<T>): Promise<T>;
  /** AdamW on the accumulated gradient, then clears it. Returns the gradient norm before clipping, to be read later. */
  optimizerStep(settings: AdamWSettings): Promise<PendingScalar>;
  /**
   * Forward, then the gradient of a loss that needs the log-probabilities first: adds ∂loss/∂adapter to the gradient buffer.
   * The log-probabilities are read back between the two, so the GPU waits once.
   * @param dropoutStep null: no dropout
   */
  forwardBackwardOf(batch: PackedBatch, objective: Objective, options: ScoringOptions & { dropoutStep: number | null }): Promise<void>;
  /** −log p of each of the L targets, adapter on, no dropout, no gradient. */
  tokenNll(batch: PackedBatch): Promise<Float32Array>;
  /** Scores of the L targets without dropout and gradient, by the adapter ("policy") or by the reference model. */
  scoreTokens(batch: PackedBatch, options: ScoringOptions & { model: 'policy' | 'reference' }): Promise<TokenScores>;
  /** The reference model's adapter: the starting adapter of the run; null = the base alone. */
  setReference(tensors: readonly AdapterTensor[] | null): Promise<void>;
  /**
   * Answers for prompts (batch without targets), prompt by prompt; does not touch gradients, optimizer or random state.
   * Work that does not fit into the cache is split; the answers do not depend on the split.
   */
  generate(prompts: PackedBatch, ropeDeltas: readonly number[], options: GenerationOptions): Promise<GeneratedAnswer[]>;
  /** Greedy answers for prompts. */
  generateGreedy(prompts: PackedBatch, ropeDeltas: readonly number[], maxNewTokens: number, stopIds: readonly number[], onToken?: (done: number, total: number) => void): Promise<GeneratedAnswer[]>;
  /** How many prompts of this length may be given to generateGreedy at once; at least 1. */
  promptsAtOnce(promptTokens: number, maxNewTokens: number): number;
  readAdapter(): Promise<AdapterTensor[]>;
  writeAdapter(tensors: readonly AdapterTensor[]): Promise<void>;
  readOptimizer(): Promise<OptimizerState>;
  writeOptimizer(state: OptimizerState): Promise<void>;
  /** Bytes of GPU buffers now in use or pooled. */
  gpuBytes(): number;
  /** Gives free buffers back, before batches of other lengths. */
  releaseFree(): void;
  /** Gives free buffers back, and counts `peakBytes` from what is left. */
  trim(): Promise<void>;
  /** The most GPU bytes held since the last `trim`. */
  peakBytes(): number;
}

/** A number still on its way from the GPU. */
export interface PendingScalar {
  read(): Promise<number>;
}
