/** The five numbers of a run that matter, and the rows of its before-and-after table, by method. Data only. */
import type { Method } from '../../protocol/config.ts';
import type { LogRow } from '../charts/axis.ts';
import type { Texts } from '../texts/en.ts';

export interface NumberSpec {
  metric: string;
  from: 'train' | 'validation';
  label: Exclude<keyof Texts['methods']['numbers'], 'bestAt'>;
  format: 'metric' | 'count' | 'share' | 'milliseconds';
  /** Names the step of the best value. */
  best?: 'highest' | 'lowest';
  /** Left out until a row has it. */
  optional?: true;
}

const SPEED: NumberSpec = { metric: 'step_time_ms', from: 'train', label: 'perStep', format: 'milliseconds' };

const GRPO = (valReward: string): NumberSpec[] => [
  { metric: 'reward', from: 'train', label: 'reward', format: 'metric' },
  { metric: valReward, from: 'validation', label: 'valReward', format: 'metric', best: 'highest' },
  { metric: 'frac_reward_zero_std', from: 'train', label: 'noSpread', format: 'share' },
  { metric: 'completions/mean_length', from: 'train', label: 'length', format: 'count' },
  SPEED,
];

export const NUMBERS: Readonly<Record<Method, readonly NumberSpec[]>> = {
  sft: [
    { metric: 'loss', from: 'train', label: 'loss', format: 'metric' },
    { metric: 'eval_loss', from: 'validation', label: 'valLoss', format: 'metric', best: 'lowest', optional: true },
    { metric: 'eval_bbox_iou', from: 'validation', label: 'iou', format: 'metric', optional: true },
    { metric: 'tokens_per_second', from: 'train', label: 'tokensPerSecond', format: 'count' },
    SPEED,
  ],
  dpo: [
    { metric: 'loss', from: 'train', label: 'loss', format: 'metric' },
    { metric: 'accuracy', from: 'train', label: 'accuracy', format: 'share' },
    { metric: 'reward_margin', from: 'train', label: 'margin', format: 'metric' },
    { metric: 'val_accuracy', from: 'validation', label: 'valAccuracy', format: 'share', best: 'highest', optional: true },
    SPEED,
  ],
  grpo: GRPO('val_reward'),
  'grpo-trl': GRPO('eval_reward'),
};

/** The row with the best value of a metric; of equal ones the first. */
export function bestRow<Row extends LogRow>(rows: readonly Row[], metric: string, best: 'highest' | 'lowest'): Row | undefined {
  const sign = best === 'highest' ? 1 : -1;
  let found: Row | undefined;
  let highest = -Infinity;
  for (const row of rows) {
    const value = row[metric];
    if (typeof value !== 'number' || !(value * sign > highest)) continue;
    highest = value * sign;
    found = row;
  }
  return found;
}

const DETECTION = ['eval_format', 'eval_bbox_iou', 'eval_category', 'eval_status', 'eval_completeness', 'eval_f1'];
/** Of answers in plain text. */
const TEXT = ['eval_exact_match', 'eval_token_f1', 'eval_rouge_l', 'eval_yes_no_accuracy', 'eval_cer'];

/** Metrics of the before-and-after table in their order. @param row a validation, which names the reward terms */
export function summaryMetrics(method: Method, row: LogRow): string[] {
  if (method === 'sft') return ['eval_loss', ...DETECTION, ...TEXT];
  if (method === 'dpo') return ['val_loss', 'val_accuracy', 'val_reward_margin'];
  const terms = Object.keys(row).filter((name) => (method === 'grpo' ? /^val_(?!reward$)/ : /^eval_rewards\/.+\/mean$/).test(name));
  return [method === 'grpo' ? 'val_reward' : 'eval_reward', ...terms, ...DETECTION];
}

/** Whether a change of a summary metric is for the better; losses and errors fall, all else rises. */
export function isBetter(metric: string, change: number): boolean {
  return metric.endsWith('_loss') || metric === 'eval_cer' ? change < 0 : change > 0;
}
