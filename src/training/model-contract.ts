/** What the training loop needs of a model; implemented by model/, faked in loop tests. */
import type { PackedBatch } from '../processing/types.ts';

/** Trainable tensors by PEFT name without prefix, e.g. "model.language_model.layers.0.self_attn.q_proj.lora_A.weight". */
export interface AdapterTensor {
  name: string;
  shape: [number, number];
  data: Float32Array;
}

/** Optimizer state aligned with the adapter tensors. */
export interface OptimizerState {
  step: number;
  /** Same names and shapes as the adapter. */
  m: AdapterTensor[];
  v: AdapterTensor[];
}

export interface AdamWSettings {
  learningRate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
  /** 0 = no clipping */
  maxGradNorm: number;
}

/** Greedy decoding result of one prompt: new ids without the stop token. */
export interface GeneratedAnswer {
  ids: number[];
  /** False when max_new_tokens ran out. */
  stopped: boolean;
}

export interface TrainableModel {
  /** Number of trainable scalars. */
  readonly trainableParameters: number;
  /**
   * Adds the gradient of Σ_l weight_l · nll_l to the gradient buffer.
   * @param weights L weights, e.g. 1 / label tokens of the whole accumulated batch
   * @param dropoutStep counter that makes dropout masks differ between micro-batches and repeat on recomputation
   * @returns handle to read Σ weight·nll later, so that the GPU never waits
   */
  forwardBackward(batch: PackedBatch, weights: Float32Array, dropoutStep: number): Promise<PendingScalar>;
  /** AdamW on the accumulated gradient, then clears it. Returns the gradient norm before clipping, to be read later. */
  optimizerStep(settings: AdamWSettings): Promise<PendingScalar>;
  /** −log p of each of the L targets, adapter on, no dropout, no gradient. */
  tokenNll(batch: PackedBatch): Promise<Float32Array>;
  /** Greedy answers for prompts (batch without targets); does not touch gradients, optimizer or random state. */
  generateGreedy(prompts: PackedBatch, ropeDeltas: readonly number[], maxNewTokens: number, stopIds: readonly number[], onToken?: (done: number, total: number) => void): Promise<GeneratedAnswer[]>;
  /** How many prompts of this length may be given to generateGreedy at once; at least 1. */
  promptsAtOnce(promptTokens: number, maxNewTokens: number): number;
  readAdapter(): Promise<AdapterTensor[]>;
  writeAdapter(tensors: readonly AdapterTensor[]): Promise<void>;
  readOptimizer(): Promise<OptimizerState>;
  writeOptimizer(state: OptimizerState): Promise<void>;
  /** Bytes of GPU buffers now in use or pooled. */
  gpuBytes(): number;
}

/** A number still on its way from the GPU. */
export interface PendingScalar {
  read(): Promise<number>;
}
