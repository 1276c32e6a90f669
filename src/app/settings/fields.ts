/** How each setting is shown: its group, its level and its kind of control. Words live in the dictionaries. */
import type { Method, TrainingConfig } from '../../protocol/config.ts';

export type SettingKey = Exclude<keyof TrainingConfig, 'method'>;
export type SettingGroup = 'length' | 'preference' | 'rewards' | 'generation' | 'lora' | 'precision' | 'optimizer' | 'data' | 'validation' | 'saving';

export type Control =
  | { kind: 'number'; optional?: true; unit?: 'tokens' | 'pixels' | 'steps' | 'samples' | 'epochs' | 'checkpoints' }
  | { kind: 'toggle' }
  | { kind: 'choice'; options: readonly string[] }
  | { kind: 'modules' }
  | { kind: 'metric' }
  /** Numbers by the end of module paths. */
  | { kind: 'pattern' }
  /** One of the method's loss types; for DPO several with their weights. */
  | { kind: 'loss' }
  /** Edited in the row of another setting. */
  | { kind: 'within'; row: SettingKey }
  /** Numbers separated by commas; empty is null. */
  | { kind: 'numbers' }
  /** Rewards written by the user; they have an editor of their own. */
  | { kind: 'rewards' };

export interface Field {
  key: SettingKey;
  group: SettingGroup;
  level: 'basic' | 'expert';
  control: Control;
}

const number = (unit?: Extract<Control, { kind: 'number' }>['unit']): Control => ({ kind: 'number', unit });
/** A number that may be left empty. */
const optional: Control = { kind: 'number', optional: true };
const toggle: Control = { kind: 'toggle' };
const choice = (...options: string[]): Control => ({ kind: 'choice', options });
const field = (key: SettingKey, group: SettingGroup, level: Field['level'], control: Control): Field => ({ key, group, level, control });

export const GROUPS: readonly SettingGroup[] = ['length', 'preference', 'rewards', 'generation', 'lora', 'precision', 'optimizer', 'data', 'validation', 'saving'];

export interface BestMetric {
  name: string;
  /** The natural direction. */
  greaterIsBetter: boolean;
}

const better = (name: string): BestMetric => ({ name, greaterIsBetter: true });
const lower = (name: string): BestMetric => ({ name, greaterIsBetter: false });
/** Scores of the answers as detections, which every method that lets the model answer logs. */
const DETECTION = ['f1', 'bbox_iou', 'bbox_iou50', 'category', 'status', 'format', 'completeness', 'precision', 'recall'].map((name) => better(`eval_${name}`));

/** Scores of the answers where they are plain text. */
const TEXT = [...['exact_match', 'token_f1', 'rouge_l', 'yes_no_accuracy'].map((name) => better(`eval_${name}`)), lower('eval_cer')];

/** What `metric_for_best_model` offers by method; any other logged metric may be typed. */
export const BEST_METRICS: Readonly<Record<Method, readonly BestMetric[]>> = {
  sft: [lower('eval_loss'), ...DETECTION, ...TEXT],
  dpo: [better('val_accuracy'), better('val_reward_margin'), lower('val_loss'), better('eval_rewards/chosen')],
  grpo: [better('val_reward'), ...['format', 'bbox', 'category', 'completeness'].map((term) => better(`val_${term}`)), ...DETECTION],
  'grpo-trl': [better('eval_reward'), ...DETECTION],
};

export const FIELDS: readonly Field[] = [
  field('num_train_epochs', 'length', 'basic', number('epochs')),
  field('max_steps', 'length', 'basic', number('steps')),
  field('per_device_train_batch_size', 'length', 'basic', number('samples')),
  field('gradient_accumulation_steps', 'length', 'basic', number()),
  field('seed', 'length', 'expert', number()),

  field('r', 'lora', 'basic', number()),
  field('lora_alpha', 'lora', 'basic', number()),
  field('lora_dropout', 'lora', 'basic', number()),
  field('target_modules', 'lora', 'expert', { kind: 'modules' }),
  field('use_rslora', 'lora', 'expert', toggle),
  field('rank_pattern', 'lora', 'expert', { kind: 'pattern' }),
  field('alpha_pattern', 'lora', 'expert', { kind: 'pattern' }),

  field('load_in_4bit', 'precision', 'basic', toggle),
  field('load_in_8bit', 'precision', 'basic', toggle),
  field('gradient_checkpointing', 'precision', 'basic', toggle),
  field('quantize_vision', 'precision', 'expert', toggle),
  field('mixed_precision', 'precision', 'expert', choice('no', 'f16')),

  field('learning_rate', 'optimizer', 'basic', number()),
  field('lr_scheduler_type', 'optimizer', 'basic', choice('linear', 'cosine', 'constant', 'constant_with_warmup', 'polynomial')),
  field('warmup_ratio', 'optimizer', 'basic', number()),
  field('weight_decay', 'optimizer', 'expert', number()),
  field('max_grad_norm', 'optimizer', 'expert', number()),
  field('loss_reduction', 'optimizer', 'expert', choice('token_weighted', 'mean_of_micro_batches')),
  field('adam_beta1', 'optimizer', 'expert', number()),
  field('adam_beta2', 'optimizer', 'expert', number()),
  field('adam_epsilon', 'optimizer', 'expert', number()),

  field('max_length', 'data', 'basic', number('tokens')),
  field('max_image_size', 'data', 'basic', number('pixels')),
  field('video_fps', 'data', 'expert', optional),
  field('video_min_frames', 'data', 'expert', optional),
  field('video_max_frames', 'data', 'expert', optional),
  field('video_max_pixels', 'data', 'expert', optional),
  field('assistant_turns', 'data', 'expert', choice('all', 'last')),
  field('box_convention', 'data', 'expert', choice('auto', 'thousandths', 'pixels')),
  field('enable_thinking', 'data', 'expert', toggle),
  field('labels_with_think_prefix', 'data', 'expert', toggle),
  field('validation_split', 'data', 'basic', number()),

  field('eval_steps', 'validation', 'basic', number('steps')),
  field('eval_num_samples', 'validation', 'basic', number('samples')),
  field('eval_generate', 'validation', 'basic', toggle),
  field('eval_on_start', 'validation', 'expert', toggle),
  field('eval_sample_selection', 'validation', 'expert', choice('first', 'random')),
  field('eval_batch_size', 'validation', 'expert', number('samples')),
  field('max_new_tokens', 'validation', 'expert', number('tokens')),
  field('metric_for_best_model', 'validation', 'expert', { kind: 'metric' }),
  field('greater_is_better', 'validation', 'expert', toggle),
  field('min_delta', 'validation', 'expert', number()),

  field('eval_temperature', 'validation', 'expert', number()),
  field('early_stopping_patience', 'validation', 'expert', number()),
  field('stop_on_explosion', 'optimizer', 'expert', toggle),

  field('beta', 'preference', 'basic', number()),
  field('loss_type', 'preference', 'basic', { kind: 'loss' }),
  field('loss_weights', 'preference', 'expert', { kind: 'within', row: 'loss_type' }),
  field('label_smoothing', 'preference', 'expert', number()),
  field('precompute_ref_log_probs', 'preference', 'expert', toggle),
  field('epsilon', 'preference', 'expert', number()),
  field('epsilon_high', 'preference', 'expert', optional),
  field('delta', 'preference', 'expert', optional),
  field('importance_sampling_level', 'preference', 'expert', choice('token', 'sequence')),
  field('num_iterations', 'preference', 'expert', number()),

  field('reward_scheme', 'rewards', 'basic', choice('original', 'gated', 'risk_aware', 'trl_legacy', 'demo', 'none')),
  field('reward_weights', 'rewards', 'expert', { kind: 'numbers' }),
  field('custom_rewards', 'rewards', 'basic', { kind: 'rewards' }),
  field('scale_rewards', 'rewards', 'expert', choice('group', 'batch', 'none')),
  field('redraw_zero_variance', 'rewards', 'expert', number()),

  field('num_generations', 'generation', 'basic', number()),
  field('temperature', 'generation', 'basic', number()),
  field('top_p', 'generation', 'expert', number()),
  field('top_k', 'generation', 'expert', number()),
  field('repetition_penalty', 'generation', 'expert', number()),
  field('max_completion_length', 'generation', 'basic', number('tokens')),
  field('mask_truncated_completions', 'generation', 'expert', toggle),

  field('save_steps', 'saving', 'basic', number('steps')),
  field('save_total_limit', 'saving', 'expert', number('checkpoints')),
  field('logging_steps', 'saving', 'expert', number('steps')),
];
