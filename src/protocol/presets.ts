/** Ready-made sets of settings, and which settings each method reads. */
import type { Method, TrainingConfig, TrainingConfigInput } from './config.ts';

export type PresetName = 'lorikeet' | 'original' | 'demo';

/** Defaults of the original system for real models, common to all methods. */
const ORIGINAL: TrainingConfigInput = {
  r: 64,
  lora_alpha: 16,
  lora_dropout: 0.1,
  target_modules: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'],
  assistant_turns: 'last',
};

/** Where they differ by method. Dropout is off where two passes of the same tokens must agree. */
const ORIGINAL_BY_METHOD: Readonly<Record<Method, TrainingConfigInput>> = {
  sft: { loss_reduction: 'mean_of_micro_batches' },
  dpo: { lora_dropout: 0 },
  grpo: { lora_dropout: 0 },
  'grpo-trl': {
    lora_dropout: 0,
    per_device_train_batch_size: 4,
    gradient_accumulation_steps: 4,
    num_generations: 4,
    temperature: 0.7,
    beta: 0.1,
    learning_rate: 5e-6,
    num_train_epochs: 1,
    max_completion_length: 512,
  },
};

/** The built-in demo's settings: the whole story in a few minutes on any device. */
const DEMO: TrainingConfigInput = {
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

/** The later methods start from an adapter that knows the task, and go in smaller steps. */
const DEMO_GRPO: TrainingConfigInput = {
  learning_rate: 1e-4,
  max_steps: 40,
  num_generations: 4,
  temperature: 1,
  top_p: 1,
  beta: 0,
  loss_type: 'grpo',
  reward_scheme: 'demo',
  max_completion_length: 160,
  eval_steps: 20,
  eval_num_samples: 32,
  eval_on_start: true,
  eval_temperature: 1,
};

const DEMO_BY_METHOD: Readonly<Record<Method, TrainingConfigInput>> = {
  sft: {},
  dpo: { learning_rate: 1e-4, max_steps: 48, eval_steps: 16, eval_num_samples: 48, save_steps: 24 },
  grpo: { ...DEMO_GRPO, save_steps: 160 },
  'grpo-trl': { ...DEMO_GRPO, per_device_train_batch_size: 32, loss_type: 'dapo', save_steps: 20 },
};

/** Settings of a preset for a method, to be completed by parseTrainingConfig. */
export function presetSettings(preset: PresetName, method: Method): TrainingConfigInput {
  const layers: Readonly<Record<PresetName, TrainingConfigInput[]>> = {
    lorikeet: [],
    original: [ORIGINAL, ORIGINAL_BY_METHOD[method]],
    demo: [DEMO, DEMO_BY_METHOD[method]],
  };
  return Object.assign({}, ...layers[preset], { method }) as TrainingConfigInput;
}

const GRPO_SETTINGS: readonly (keyof TrainingConfig)[] = [
  'eval_temperature',
  'num_generations',
  'temperature',
  'top_k',
  'top_p',
  'repetition_penalty',
  'max_completion_length',
  'num_iterations',
  'epsilon',
  'epsilon_high',
  'delta',
  'importance_sampling_level',
  'scale_rewards',
  'mask_truncated_completions',
  'redraw_zero_variance',
  'reward_scheme',
  'reward_weights',
  'custom_rewards',
];

/** Settings that only some methods read. */
const ONLY_FOR: Readonly<Partial<Record<keyof TrainingConfig, readonly Method[]>>> = {
  assistant_turns: ['sft'],
  labels_with_think_prefix: ['sft', 'dpo'],
  loss_reduction: ['sft'],
  max_new_tokens: ['sft'],
  eval_generate: ['sft'],
  lora_dropout: ['sft'],
  beta: ['dpo', 'grpo', 'grpo-trl'],
  loss_type: ['dpo', 'grpo', 'grpo-trl'],
  loss_weights: ['dpo'],
  label_smoothing: ['dpo'],
  precompute_ref_log_probs: ['dpo'],
  ...Object.fromEntries(GRPO_SETTINGS.map((key) => [key, ['grpo', 'grpo-trl']])),
};

/** Whether a method reads a setting. */
export function appliesTo(key: keyof TrainingConfig, method: Method): boolean {
  return ONLY_FOR[key]?.includes(method) ?? true;
}

/** The settings that the run's method reads, for logs and settings files; parsing them again gives the same run. */
export function settingsInUse(config: TrainingConfig): Partial<TrainingConfig> {
  return Object.fromEntries(Object.entries(config).filter(([key]) => appliesTo(key as keyof TrainingConfig, config.method)));
}
