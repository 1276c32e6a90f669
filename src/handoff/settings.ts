/** What becomes of each setting in PyTorch: where it goes by name, and what a bundle cannot carry. */
import type { TrainingConfig } from '../protocol/config.ts';
import { appliesTo } from '../protocol/presets.ts';
import { isRewarded } from './rewarded.ts';

type Key = keyof TrainingConfig;

/** Where a setting acts; of those under their own names only the place is said. */
const PLACES: Readonly<Partial<Record<Key, string>>> = {
  r: 'LoraConfig', lora_alpha: 'LoraConfig', lora_dropout: 'LoraConfig', target_modules: 'LoraConfig', use_rslora: 'LoraConfig', rank_pattern: 'LoraConfig', alpha_pattern: 'LoraConfig',
  load_in_4bit: 'BitsAndBytesConfig, NF4 with double quantisation; without CUDA the same values, dense',
  load_in_8bit: 'BitsAndBytesConfig',
  quantize_vision: 'BitsAndBytesConfig.llm_int8_skip_modules',
  gradient_checkpointing: 'TrainingArguments', learning_rate: 'TrainingArguments', weight_decay: 'TrainingArguments', max_grad_norm: 'TrainingArguments',
  adam_beta1: 'TrainingArguments', adam_beta2: 'TrainingArguments', adam_epsilon: 'TrainingArguments', seed: 'TrainingArguments', save_total_limit: 'TrainingArguments',
  per_device_train_batch_size: 'lorikeet/order.py, shared among the processes', gradient_accumulation_steps: 'lorikeet/order.py, shared among the processes',
  num_train_epochs: 'lorikeet/order.py', max_steps: 'lorikeet/order.py',
  warmup_ratio: 'lorikeet/trainer.py', lr_scheduler_type: 'lorikeet/trainer.py', loss_reduction: 'lorikeet/trainer.py',
  max_length: 'lorikeet/samples.py', max_image_size: 'lorikeet/samples.py', assistant_turns: 'lorikeet/samples.py', enable_thinking: 'lorikeet/samples.py', labels_with_think_prefix: 'lorikeet/samples.py',
  logging_steps: 'lorikeet/log.py', eval_steps: 'lorikeet/log.py', save_steps: 'lorikeet/log.py',
  eval_num_samples: 'lorikeet/order.py', eval_sample_selection: 'lorikeet/order.py', validation_split: 'done: data/validation.jsonl',
  beta: 'lorikeet/losses.py', loss_type: 'lorikeet/losses.py', loss_weights: 'lorikeet/losses.py', label_smoothing: 'lorikeet/losses.py', precompute_ref_log_probs: 'lorikeet/reference.py, always',
  box_convention: 'done: in the texts of data/', method: 'train.py',
};

/** Where reward training differs. */
const REWARDED_PLACES: Readonly<Partial<Record<Key, string>>> = {
  per_device_train_batch_size: 'lorikeet/grpo.py, shared among the processes', gradient_accumulation_steps: 'lorikeet/grpo.py, shared among the processes',
  num_train_epochs: 'lorikeet/grpo.py', max_steps: 'lorikeet/grpo.py', save_steps: 'lorikeet/grpo.py',
  num_generations: 'GRPOConfig', max_completion_length: 'GRPOConfig', temperature: 'GRPOConfig', top_k: 'GRPOConfig', top_p: 'GRPOConfig', repetition_penalty: 'GRPOConfig', beta: 'GRPOConfig',
  num_iterations: 'GRPOConfig', epsilon: 'GRPOConfig', epsilon_high: 'GRPOConfig', delta: 'GRPOConfig', importance_sampling_level: 'GRPOConfig', scale_rewards: 'GRPOConfig',
  loss_type: 'GRPOConfig', mask_truncated_completions: 'GRPOConfig',
  reward_scheme: 'lorikeet/rewards.py', reward_weights: 'lorikeet/rewards.py',
};

/** Settings of validations, which reward training has none of here. */
const OF_VALIDATIONS: readonly Key[] = ['eval_num_samples', 'eval_sample_selection'];

/** Settings that no bundle carries, where they would change something; null: they change nothing here. */
const NOT_CARRIED: Readonly<Partial<Record<Key, (config: TrainingConfig) => string | null>>> = {
  mixed_precision: ({ mixed_precision }) => (mixed_precision === 'no' ? null : 'f16 tiles are the page’s own; here --dtype says bfloat16 or float32.'),
  lora_dropout: ({ lora_dropout }) => (lora_dropout === 0 ? null : 'The same rate drops other elements: losses agree on average, not step by step.'),
  load_in_8bit: ({ load_in_8bit, load_in_4bit }) => (!load_in_8bit || load_in_4bit ? null : 'bitsandbytes rounds activations to 8 bits too, the page does not; without CUDA the weights stay as the checkpoint has them.'),
  eval_generate: ({ eval_generate, eval_steps }) => (eval_generate && eval_steps > 0 ? 'Validations measure the loss; no answers are written.' : null),
  eval_steps: (config) => (isRewarded(config) && config.eval_steps > 0 ? 'No validations: they would write answers.' : null),
  redraw_zero_variance: ({ redraw_zero_variance }) => (redraw_zero_variance === 0 ? null : 'TRL draws no group again; a flat one teaches nothing.'),
  custom_rewards: () => null,
  eval_on_start: () => null,
  eval_batch_size: () => null,
  eval_temperature: () => null,
  max_new_tokens: () => null,
  metric_for_best_model: ({ eval_steps }) => (eval_steps > 0 ? 'No best adapter is chosen: look at the checkpoints.' : null),
  greater_is_better: () => null,
  min_delta: () => null,
  early_stopping_patience: ({ early_stopping_patience }) => (early_stopping_patience === 0 ? null : 'The run goes on to its last step.'),
  stop_on_explosion: ({ stop_on_explosion }) => (stop_on_explosion ? 'Nobody looks out for it.' : null),
  video_fps: () => null,
  video_min_frames: () => null,
  video_max_frames: () => null,
  video_max_pixels: () => null,
};

export interface SettingRow {
  key: Key;
  value: unknown;
  /** Where it acts, or why it does not. */
  where: string;
  carried: boolean;
}

/** One row for each setting that the run's method reads and that means something here. */
export function settingRows(config: TrainingConfig): SettingRow[] {
  const rewarded = isRewarded(config);
  const meant = (key: Key) => appliesTo(key, config.method) && !(rewarded && OF_VALIDATIONS.includes(key));
  return (Object.keys(config) as Key[]).filter(meant).flatMap((key): SettingRow[] => {
    const value = config[key];
    const why = NOT_CARRIED[key]?.(config) ?? null;
    if (why !== null) return [{ key, value, where: why, carried: false }];
    const where = (rewarded ? REWARDED_PLACES[key] : undefined) ?? PLACES[key];
    return where === undefined ? [] : [{ key, value, where, carried: true }];
  });
}

/** Settings of which neither a place nor a reason is known; a test holds this empty. */
export function unmappedSettings(config: TrainingConfig): Key[] {
  const places = isRewarded(config) ? { ...PLACES, ...REWARDED_PLACES } : PLACES;
  return (Object.keys(config) as Key[]).filter((key) => appliesTo(key, config.method) && !Object.hasOwn(places, key) && !Object.hasOwn(NOT_CARRIED, key));
}
