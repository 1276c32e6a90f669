/** The settings of a run. Names are those of Hugging Face TrainingArguments, PEFT LoraConfig and TRL SFTConfig. */
import * as v from 'valibot';
import { LorikeetError } from './errors.ts';

const count = (min: number, max = 1e9) => v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max));
const real = (min: number, max: number) => v.pipe(v.number(), v.finite(), v.minValue(min), v.maxValue(max));

/** LoRA on the language model only; loads everywhere, vLLM included. A full-match regular expression, as PEFT reads it. */
export const LANGUAGE_MODEL_TARGETS =
  '^(?:.*\\.)?language_model\\.layers\\.\\d+\\.(?:self_attn\\.(?:q|k|v|o)_proj|mlp\\.(?:gate|up|down)_proj)$';

export const trainingConfigSchema = v.strictObject({
  method: v.optional(v.literal('sft'), 'sft'),

  r: v.optional(count(1, 1024), 16),
  lora_alpha: v.optional(real(0.001, 1e6), 32),
  lora_dropout: v.optional(real(0, 0.95), 0),
  /** A list of module-name endings or one regular expression that must match the whole module path. */
  target_modules: v.optional(v.union([v.pipe(v.string(), v.minLength(1)), v.pipe(v.array(v.pipe(v.string(), v.minLength(1))), v.minLength(1))]), LANGUAGE_MODEL_TARGETS),
  use_rslora: v.optional(v.boolean(), false),

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
  /** Which assistant turns carry the loss. */
  assistant_turns: v.optional(v.picklist(['all', 'last']), 'all'),

  logging_steps: v.optional(count(1), 10),
  /** 0 switches validation off. */
  eval_steps: v.optional(count(0), 500),
  /** Validate before the first step too, so that before and after can be compared. */
  eval_on_start: v.optional(v.boolean(), true),
  /** Part of the training samples kept aside when no validation file is given; 0 = none. */
  validation_split: v.optional(real(0, 0.9), 0),
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

  /** 0 = no checkpoints besides best and final. */
  save_steps: v.optional(count(0), 500),
  /** Newest checkpoints kept besides best; 0 = all. */
  save_total_limit: v.optional(count(0), 3),
});

/** A complete, validated set of settings. */
export type TrainingConfig = v.InferOutput<typeof trainingConfigSchema>;
/** What a user or file may give: anything left out takes its default. */
export type TrainingConfigInput = v.InferInput<typeof trainingConfigSchema>;

/** Old command-line names of the original scripts that are read as the name on the right. */
const ALIASES: Readonly<Record<string, keyof TrainingConfig>> = {
  lora_r: 'r',
  batch_size: 'per_device_train_batch_size',
  num_epochs: 'num_train_epochs',
  use_4bit: 'load_in_4bit',
  use_8bit: 'load_in_8bit',
  lora_target_modules: 'target_modules',
};
const NEGATED_ALIASES: Readonly<Record<string, keyof TrainingConfig>> = {
  no_4bit: 'load_in_4bit',
  no_gradient_checkpointing: 'gradient_checkpointing',
};

/** Defaults of the original system for real models (r 64, alpha 16, dropout 0.1, …). */
export const ORIGINAL_PRESET: TrainingConfigInput = {
  r: 64,
  lora_alpha: 16,
  lora_dropout: 0.1,
  target_modules: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'],
  assistant_turns: 'last',
  loss_reduction: 'mean_of_micro_batches',
};

/** The built-in demo's settings: the whole story in a few minutes on any device. */
export const DEMO_PRESET: TrainingConfigInput = {
  r: 16,
  lora_alpha: 32,
  lora_dropout: 0,
  learning_rate: 2e-3,
  lr_scheduler_type: 'cosine',
  warmup_ratio: 0.05,
  weight_decay: 0,
  per_device_train_batch_size: 8,
  gradient_accumulation_steps: 1,
  max_steps: 60,
  logging_steps: 1,
  eval_steps: 20,
  eval_num_samples: 64,
  eval_batch_size: 32,
  max_new_tokens: 160,
  save_steps: 30,
  max_length: 512,
  max_image_size: 0,
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
  const result = v.safeParse(trainingConfigSchema, source);
  if (!result.success) {
    const issue = result.issues[0];
    const field = v.getDotPath(issue) ?? '';
    throw new LorikeetError('config', `Setting ${field}: ${issue.message}`, 'Correct this setting; its help text names the allowed values.', { field });
  }
  return result.output;
}
