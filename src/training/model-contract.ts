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

/** Decoding result of one sequence. */
export interface GeneratedAnswer {
  /** New ids without the stop token. */
  ids: number[];
  /** The token that ended it; null when maxNewTokens ran out. */
  stopId: number | null;
}

/** How tokens are drawn; see TRL's GRPOConfig and transformers' GenerationConfig for the names. */
export interface SamplingSettings {
  /** Above 0. */
  temperature: number;
  /** Only the k most likely tokens; 0 = all. */
  topK: number;
  /** Smallest set of most likely tokens whose probabilities reach this; 1 = all. */
  topP: number;
  /** Logits of tokens already in prompt or answer are divided (positive) or multiplied (negative) by it; 1 = off. */
  repetitionPenalty: number;
  /** Key of the counter-based random numbers. */
  seed: number;
  /** Counter of the first sequence: prompt p, completion g draws with firstSequence + p · numGenerations + g, however the work is split. */
  firstSequence: number;
}

export interface GenerationOptions {
  maxNewTokens: number;
  /** Any of these ends a sequence. */
  stopIds: readonly number[];
  /** Completions of each prompt; the prompt is computed once for all of them. */
  numGenerations: number;
  /** Null: greedy, the most likely token each time (numGenerations is 1 then). */
  sampling: SamplingSettings | null;
  /** Penalty for greedy decoding; `sampling` has its own. 1 = off. */
  repetitionPenalty?: number;
  /** Never drawn, whatever its logit: the id that stands for a part of an image. */
  suppressId?: number;
  /** Which weights answer. */
  adapter: 'policy' | 'base';
  /** New ids of each sequence as they arrive, a few steps at a time; false ends the generation early. */
  onTokens?: (fresh: readonly (readonly number[])[], done: number, total: number) => boolean | Promise<boolean>;
}

/** What a forward pass says of each of the L targets. */
export interface TokenScores {
  /** log p(target) at the scoring temperature. */
  logProbs: Float32Array;
  /** Entropy of the token distribution in nats, at the same temperature. */
  entropy: Float32Array;
  /** 1 where no token is more likely than the target, else 0. */
  top1: Float32Array;
  /** Mean of the raw logits over the vocabulary. */
  meanLogit: Float32Array;
}

export interface ScoringOptions {
  /** Logits are divided by it before the softmax; 1 = the model's own distribution. */
  temperature: number;
}

/** A loss over token log-probabilities. Returns ∂loss/∂logProbs, L values; pure. */
export type Objective = (scores: TokenScores) => Float32Array;

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
}

/** A number still on its way from the GPU. */
export interface PendingScalar {
  read(): Promise<number>;
}
