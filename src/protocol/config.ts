/** The settings of a run. Names are those of Hugging Face TrainingArguments, PEFT LoraConfig and TRL SFTConfig. */
import * as v from 'valibot';
import { LorikeetError } from './errors.ts';

const count = (min: number, max = 1e9) => v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max));
const real = (min: number, max: number) => v.pipe(v.number(), v.finite(), v.minValue(min), v.maxValue(max));
const lossName = v.pipe(v.string(), v.minLength(1), v.maxLength(40));

/**
 * LoRA on the decoder layers of every family, the mixers of linear attention included where there are any; loads everywhere,
 * vLLM included. A full-match regular expression, as PEFT reads it.
 */
export const LANGUAGE_MODEL_TARGETS =
  '^(?:.*\\.)?language_model\\.layers\\.\\d+\\.(?:self_attn\\.(?:q|k|v|o)_proj|linear_attn\\.(?:in_proj_(?:qkv|z|b|a)|out_proj)|mlp\\.(?:gate|up|down)_proj)$';
/** The same as runs and adapters have it that were made when no family had linear attention; it is still read as it stands. */
export const FORMER_LANGUAGE_MODEL_TARGETS =
  '^(?:.*\\.)?language_model\\.layers\\.\\d+\\.(?:self_attn\\.(?:q|k|v|o)_proj|mlp\\.(?:gate|up|down)_proj)$';

export const METHODS = ['sft', 'dpo', 'grpo', 'grpo-trl'] as const;
/** "grpo" keeps the original system's units and metric names, "grpo-trl" those of TRL's GRPOTrainer; the mathematics is the same. */
export type Method = (typeof METHODS)[number];

/** A reward written by the user; see objectives/rewards/custom.ts for what its source may be. */
const customReward = v.strictObject({
  name: v.pipe(v.string(), v.regex(/^[A-Za-z][A-Za-z0-9_]{0,39}$/, 'must be a short name of letters, digits and _')),
  weight: v.optional(real(-1000, 1000), 1),
  source: v.pipe(v.string(), v.minLength(1), v.maxLength(20_000)),
});

/** Keys that are whole numbers would lose their place in the order. */
const modulePattern = <Value extends v.GenericSchema<number, number>>(value: Value) =>
  v.pipe(
    v.record(v.pipe(v.string(), v.minLength(1), v.maxLength(200), v.regex(/\D/, 'a key may not be a whole number')), value),
    v.check((entries) => Object.keys(entries).length <= 512, 'at most 512 keys'),
  );

export const trainingConfigSchema = v.strictObject({
  method: v.optional(v.picklist(METHODS), 'sft'),

  r: v.optional(count(1, 1024), 16),
  lora_alpha: v.optional(real(0.001, 1e6), 32),
  lora_dropout: v.optional(real(0, 0.95), 0),
  /** A list of module-name endings or one regular expression that must match the whole module path. */
  target_modules: v.optional(v.union([v.pipe(v.string(), v.minLength(1)), v.pipe(v.array(v.pipe(v.string(), v.minLength(1))), v.minLength(1))]), LANGUAGE_MODEL_TARGETS),
  use_rslora: v.optional(v.boolean(), false),
  /** Expression for the end of a module path -> rank or alpha of its own, as in LoraConfig; the first that matches counts. */
  rank_pattern: v.optional(modulePattern(count(1, 1024)), {}),
  alpha_pattern: v.optional(modulePattern(real(0.001, 1e6)), {}),

  /** NF4 with double quantisation; takes precedence over load_in_8bit. Both off: weights stay bf16. */
  load_in_4bit: v.optional(v.boolean(), true),
  load_in_8bit: v.optional(v.boolean(), false),
  /** Off: the vision tower keeps its stored precision. */
  quantize_vision: v.optional(v.boolean(), true),
  /** f16 tiles with f32 accumulation where the device has shader-f16. */
  mixed_precision: v.optional(v.picklist(['no', 'f16']), 'no'),
  gradient_checkpointing: v.optional(v.boolean(), true),

  per_device_train_batch_size: v.optional(count(1, 4096), 1),
  gradient_accumulation_steps: v.optional(count(1, 4096), 8),
  learning_rate: v.optional(real(0, 10), 2e-4),
  warmup_ratio: v.optional(real(0, 1), 0.1),
  lr_scheduler_type: v.optional(v.picklist(['linear', 'cosine', 'constant', 'constant_with_warmup', 'polynomial']), 'linear'),
  weight_decay: v.optional(real(0, 10), 0.01),
  /** 0 switches clipping off. */
  max_grad_norm: v.optional(real(0, 1e9), 1),
  adam_beta1: v.optional(real(0, 0.99999), 0.9),
  adam_beta2: v.optional(real(0, 0.9999999), 0.999),
  adam_epsilon: v.optional(real(0, 1), 1e-8),
  num_train_epochs: v.optional(real(0.001, 1e6), 3),
  /** Optimizer steps; -1 trains num_train_epochs instead. */
  max_steps: v.optional(v.pipe(v.number(), v.integer(), v.check((n) => n === -1 || n > 0, 'must be -1 or at least 1')), -1),
  seed: v.optional(count(0, 4294967295), 42),
  loss_reduction: v.optional(v.picklist(['token_weighted', 'mean_of_micro_batches']), 'token_weighted'),

  /** Tokens; longer samples are reported, never cut. */
  max_length: v.optional(count(16, 1_000_000), 2048),
  /** Longest edge in pixels before the model's own resizing; 0 = no limit. */
  max_image_size: v.optional(count(0, 16384), 512),
  /** Frames of a clip that are looked at per second, their least and greatest number, and the pixel limit; null = as the model's own processor says. */
  video_fps: v.optional(v.nullable(real(0.001, 1000)), null),
  video_min_frames: v.optional(v.nullable(count(1, 100_000)), null),
  video_max_frames: v.optional(v.nullable(count(1, 100_000)), null),
  video_max_pixels: v.optional(v.nullable(count(256, 2 ** 40)), null),
  /** Which assistant turns carry the loss. */
  assistant_turns: v.optional(v.picklist(['all', 'last']), 'all'),
  /** Prompts invite thoughts, where the model's chat template knows of them. */
  enable_thinking: v.optional(v.boolean(), false),
  /** The block of thoughts that a prompt would already hold carries the loss too. */
  labels_with_think_prefix: v.optional(v.boolean(), false),

  logging_steps: v.optional(count(1), 10),
  /** 0 switches validation off. */
  eval_steps: v.optional(count(0), 500),
  /** Validate before the first step too, so that before and after can be compared. */
  eval_on_start: v.optional(v.boolean(), true),
  /** Part of the training samples kept aside when no validation file is given; 0 = none. */
  validation_split: v.optional(real(0, 0.9), 0),
  /** Temperature of validation answers in reward training; 0 = greedy. */
  eval_temperature: v.optional(real(0, 100), 0),
  /** Validation samples used; 0 = all. */
  eval_num_samples: v.optional(count(0), 50),
  eval_sample_selection: v.optional(v.picklist(['first', 'random']), 'first'),
  eval_batch_size: v.optional(count(1, 4096), 8),
  /** Greedy answers on the validation samples, scored with the detection metrics. */
  eval_generate: v.optional(v.boolean(), true),
  max_new_tokens: v.optional(count(1, 65536), 512),
  metric_for_best_model: v.optional(v.pipe(v.string(), v.minLength(1)), 'eval_loss'),
  greater_is_better: v.optional(v.boolean(), false),
  /** An evaluation counts as better only when it improves by more than this. */
  min_delta: v.optional(real(0, 1e9), 0),

  /** Validations in a row without a new best before the run ends; 0 = never. */
  early_stopping_patience: v.optional(count(0), 0),
  /** Ends the run once no gradient reaches the adapter, or its loss is that of guessing after it was below. */
  stop_on_explosion: v.optional(v.boolean(), false),

  /** DPO: strength of the pull to the reference. GRPO: weight of the KL term (kl_coef of the original); 0 = no reference pass. */
  beta: v.optional(real(0, 100), 0.1),
  /** One name, or for DPO several that are mixed by loss_weights. */
  loss_type: v.optional(v.union([lossName, v.pipe(v.array(lossName), v.minLength(1), v.maxLength(8))]), 'sigmoid'),
  /** One per loss_type; null = all 1. */
  loss_weights: v.optional(v.nullable(v.pipe(v.array(real(0, 1000)), v.minLength(1), v.maxLength(8))), null),
  label_smoothing: v.optional(real(0, 0.499), 0),
  /** Log-probabilities of the reference model for all pairs once before the first step, instead of in every step. */
  precompute_ref_log_probs: v.optional(v.boolean(), true),

  /** Completions of each prompt (G). */
  num_generations: v.optional(count(1, 256), 8),
  /** Of sampling, and of the log-probabilities that the loss sees. */
  temperature: v.optional(real(0.01, 100), 1),
  top_k: v.optional(count(0), 0),
  top_p: v.optional(real(0.001, 1), 1),
  repetition_penalty: v.optional(real(0.01, 100), 1),
  max_completion_length: v.optional(count(1, 65536), 256),
  /** Optimizer steps on the same completions (mu). */
  num_iterations: v.optional(count(1, 64), 1),
  epsilon: v.optional(real(0, 10), 0.2),
  /** null = epsilon. */
  epsilon_high: v.optional(v.nullable(real(0, 100)), null),
  /** Upper bound of the ratio in the two-sided clip; null = none. */
  delta: v.optional(v.nullable(real(1, 1000)), null),
  importance_sampling_level: v.optional(v.picklist(['token', 'sequence']), 'token'),
  scale_rewards: v.optional(v.picklist(['group', 'batch', 'none']), 'group'),
  mask_truncated_completions: v.optional(v.boolean(), false),
  /** How often a group whose rewards are all equal is drawn again. */
  redraw_zero_variance: v.optional(count(0, 16), 0),
  reward_scheme: v.optional(v.picklist(['original', 'trl_legacy', 'gated', 'risk_aware', 'demo', 'none']), 'original'),
  /** Weights by term of the scheme, in its order; null = the scheme's own. */
  reward_weights: v.optional(v.nullable(v.pipe(v.array(real(-1000, 1000)), v.minLength(1), v.maxLength(16))), null),
  custom_rewards: v.optional(v.pipe(v.array(customReward), v.maxLength(8)), []),
  /** How boxes in answers are written: thousandths of the image, or pixels of the resized image (Qwen2.5-VL); "auto" = as the model's family does. */
  box_convention: v.optional(v.picklist(['auto', 'thousandths', 'pixels']), 'auto'),

  /** 0 = no checkpoints besides best and final. Steps; for "grpo" samples, as in the original. */
  save_steps: v.optional(count(0), 500),
  /** Newest checkpoints kept besides best; 0 = all. */
  save_total_limit: v.optional(count(0), 3),
});

/** A complete, validated set of settings. */
export type TrainingConfig = v.InferOutput<typeof trainingConfigSchema>;
/** What a user or file may give: anything left out takes its default. */
export type TrainingConfigInput = v.InferInput<typeof trainingConfigSchema>;

export type BoxUnit = 'thousandths' | 'pixels';

/** Unit of the boxes in answers. A session puts the model's in the place of "auto"; before there is a model they are thousandths. */
export function boxUnitOf({ box_convention }: Pick<TrainingConfig, 'box_convention'>): BoxUnit {
  return box_convention === 'pixels' ? 'pixels' : 'thousandths';
}

/** How a family's weights are best stored where the user says nothing of it. */
export type QuantizationAdvice = 'nf4' | 'int8';

export const ADVISED_QUANTIZATION: Readonly<Record<QuantizationAdvice, Pick<TrainingConfig, 'load_in_4bit' | 'load_in_8bit'>>> = {
  nf4: { load_in_4bit: true, load_in_8bit: false },
  int8: { load_in_4bit: false, load_in_8bit: true },
};

/** Old command-line names of the original scripts that are read as the name on the right. */
const ALIASES: Readonly<Record<string, keyof TrainingConfig>> = {
  lora_r: 'r',
  batch_size: 'per_device_train_batch_size',
  num_epochs: 'num_train_epochs',
  use_4bit: 'load_in_4bit',
  use_8bit: 'load_in_8bit',
  lora_target_modules: 'target_modules',
  kl_coef: 'beta',
  clip_range: 'epsilon',
};
const NEGATED_ALIASES: Readonly<Record<string, keyof TrainingConfig>> = {
  no_4bit: 'load_in_4bit',
  no_gradient_checkpointing: 'gradient_checkpointing',
};

/** Names that settings had in the original scripts. */
export const OTHER_NAMES: readonly string[] = [...Object.keys(ALIASES), ...Object.keys(NEGATED_ALIASES)];

/** What each method's settings are where nothing else is said. */
export const METHOD_DEFAULTS: Readonly<Record<Method, Partial<TrainingConfigInput>>> = {
  sft: {},
  dpo: {
    num_train_epochs: 1,
    learning_rate: 1e-5,
    assistant_turns: 'last',
    eval_generate: false,
    metric_for_best_model: 'val_accuracy',
    greater_is_better: true,
  },
  grpo: {
    num_train_epochs: 1,
    learning_rate: 1e-5,
    lr_scheduler_type: 'constant_with_warmup',
    gradient_accumulation_steps: 4,
    loss_type: 'grpo',
    num_generations: 4,
    temperature: 0.7,
    top_p: 0.9,
    max_completion_length: 512,
    eval_steps: 200,
    save_steps: 200,
    eval_on_start: false,
    metric_for_best_model: 'val_reward',
    greater_is_better: true,
  },
  'grpo-trl': {
    per_device_train_batch_size: 8,
    gradient_accumulation_steps: 1,
    learning_rate: 1e-6,
    warmup_ratio: 0,
    weight_decay: 0,
    beta: 0,
    loss_type: 'dapo',
    reward_scheme: 'trl_legacy',
    eval_steps: 200,
    save_steps: 200,
    eval_on_start: false,
    metric_for_best_model: 'eval_reward',
    greater_is_better: true,
  },
};

/** Loss types by method. */
export const LOSS_TYPES: Readonly<Record<Method, readonly string[]>> = {
  sft: ['sigmoid'],
  dpo: ['sigmoid', 'cdpo', 'robust', 'hinge', 'ipo', 'sigmoid_norm', 'exo_pair', 'nca_pair', 'bco_pair', 'sppo_hard', 'apo_zero', 'apo_down', 'sft'],
  grpo: ['grpo', 'bnpo', 'dr_grpo', 'dapo', 'cispo'],
  'grpo-trl': ['grpo', 'bnpo', 'dr_grpo', 'dapo', 'cispo'],
};

/**
 * Validates settings and fills in defaults; accepts the original scripts' names too.
 * @throws LorikeetError "config" naming the field, what was expected and what came.
 */
export function parseTrainingConfig(input: unknown): TrainingConfig {
  // Without a prototype, a key such as "__proto__" or "constructor" is a key like any other.
  const source = Object.create(null) as Record<string, unknown>;
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw new LorikeetError('config', 'The settings must be one JSON object.', 'Check the settings file.');
  }
  for (const [key, value] of Object.entries(input)) {
    if (Object.hasOwn(ALIASES, key)) source[ALIASES[key]] = value;
    else if (Object.hasOwn(NEGATED_ALIASES, key)) source[NEGATED_ALIASES[key]] = !value;
    else if (Object.hasOwn(trainingConfigSchema.entries, key)) source[key] = value;
    else throw new LorikeetError('config', `Setting ${key.slice(0, 80)} is not known.`, 'Remove it, or correct its name.', { field: key.slice(0, 80) });
  }
  const method = METHODS.find((name) => name === source.method) ?? 'sft';
  for (const [key, value] of Object.entries(METHOD_DEFAULTS[method])) if (!(key in source)) source[key] = value;
  const result = v.safeParse(trainingConfigSchema, source);
  if (!result.success) {
    const issue = result.issues[0];
    const field = v.getDotPath(issue) ?? '';
    throw new LorikeetError('config', `Setting ${field}: ${issue.message}`, 'Correct this setting; its help text names the allowed values.', { field });
  }
  checkTogether(result.output);
  return result.output;
}

/** Rules that span several settings. */
function checkTogether(config: TrainingConfig): void {
  const refuse = (field: keyof TrainingConfig, message: string, advice: string): never => {
    throw new LorikeetError('config', `Setting ${field}: ${message}`, advice, { field });
  };
  const { method } = config;
  const losses = [config.loss_type].flat();
  const unknown = losses.find((name) => !LOSS_TYPES[method].includes(name));
  if (unknown !== undefined) refuse('loss_type', `"${unknown}" is no loss of ${method}`, `Choose among ${LOSS_TYPES[method].join(', ')}.`);
  if (method !== 'dpo' && losses.length > 1) refuse('loss_type', 'only DPO mixes several losses', 'Choose one.');
  if (config.loss_weights && config.loss_weights.length !== losses.length) {
    refuse('loss_weights', `there are ${config.loss_weights.length} weights for ${losses.length} losses`, 'Give one weight for each loss type, or none.');
  }
  if (method === 'dpo' && config.beta === 0) refuse('beta', 'DPO needs a beta above 0', 'The usual value is 0.1.');
  if (method !== 'grpo' && method !== 'grpo-trl') return;
  if (config.num_generations < 2) refuse('num_generations', 'a group of one has no advantage', 'Use at least 2.');
  if (method === 'grpo-trl' && (config.per_device_train_batch_size * config.gradient_accumulation_steps) % config.num_generations !== 0) {
    refuse(
      'num_generations',
      `per_device_train_batch_size × gradient_accumulation_steps is ${config.per_device_train_batch_size * config.gradient_accumulation_steps} completions, which num_generations = ${config.num_generations} does not divide`,
      'Make their product a multiple of num_generations.',
    );
  }
  if (config.reward_scheme === 'none' && config.custom_rewards.length === 0) refuse('reward_scheme', 'there is no reward at all', 'Choose a scheme or write a reward of your own.');
  const names = config.custom_rewards.map(({ name }) => name);
  if (new Set(names).size !== names.length) refuse('custom_rewards', 'two rewards have the same name', 'Rename one of them.');
}
