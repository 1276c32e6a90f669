/** What a generation is asked for, and what it answers. */

/** Decoding result of one sequence. */
export interface GeneratedAnswer {
  /** New ids without the stop token. */
  ids: number[];
  /** The token that ended it; null when maxNewTokens ran out. */
  stopId: number | null;
  /** Of each new id, where `withProbabilities` asked: what the model gave it when it chose it. */
  probabilities?: number[];
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
  /** Also says how likely each chosen token was; greedy without penalty only. */
  withProbabilities?: boolean;
  /** Which weights answer. */
  adapter: 'policy' | 'base';
  /** New ids of each answer as they arrive, a few steps at a time, and the tokens that answers have on average, of the most they can get; one that ended counts as whole. False ends the generation early. */
  onTokens?: (fresh: readonly (readonly number[])[], done: number, total: number) => boolean | Promise<boolean>;
}
