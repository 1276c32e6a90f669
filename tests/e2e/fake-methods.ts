/** Scripted numbers of preference and reward training, as far apart as real ones: rows, sampled answers, validations. */
import type { TrainingConfig } from '../../src/protocol/config.ts';
import type { TrainRow, ValRow } from '../../src/protocol/log.ts';
import type { CompletionGroup, CompletionRecord, LabelledBox } from '../../src/protocol/messages.ts';
import { noisyBoxes, type Scene } from './fake-scenes.ts';

const WEIGHTS = { format: 1, bbox: 2, category: 1.5, completeness: 0.5 };
/** Even numbers from minus one to one that look like chance. */
const chance = (seed: number) => 2 * ((((Math.sin(seed * 127.1) * 43758.5453) % 1) + 1) % 1) - 1;
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
const clamp = (value: number, low: number, high: number) => Math.min(high, Math.max(low, value));

function spread(values: readonly number[]): number {
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / Math.max(1, values.length - 1));
}

/** Answers of one step; one prompt of each step gets the same answer G times, and one answer is cut. */
export function fakeCompletions(step: number, config: TrainingConfig, scenes: readonly Scene[]): CompletionGroup[] {
  const size = config.per_device_train_batch_size * config.gradient_accumulation_steps;
  const prompts = config.method === 'grpo' ? size : size / config.num_generations;
  return Array.from({ length: prompts }, (_, p) => {
    const sample = (step * prompts + p) % scenes.length;
    const scene = scenes[sample];
    const equal = p === 1;
    const answers = Array.from({ length: config.num_generations }, (_, g) => {
      const skill = 0.55 + 0.35 * (1 - Math.exp(-step / 25)) + (equal ? 0 : 0.3 * chance(step * 31 + p * 7 + g));
      return answer(scene, skill, step * 17 + p * 5 + (equal ? 0 : g), p === 2 && g === 0);
    });
    const rewards = answers.map(({ reward }) => reward ?? 0);
    const width = spread(rewards);
    return {
      step,
      sample,
      id: scene.id,
      prompt: scene.prompt,
      truth: scene.answer,
      extra: { scene: scene.id },
      truthBoxes: scene.boxes,
      completions: answers.map((one, g) => ({ ...one, advantage: (rewards[g] - mean(rewards)) / (width + 1e-4) })),
    };
  });
}

function answer(scene: Scene, skill: number, seed: number, cut: boolean): CompletionRecord {
  const kept = cut ? scene.boxes.slice(0, 1) : scene.boxes;
  const boxes = noisyBoxes(kept, clamp(skill, 0.05, 1), seed).map(({ label, box }, i) => ({ label: chance(seed + i) > skill ? label.replace(/\S+$/, '正常') : label, box: whole(box) }));
  const lines = boxes.map(({ label, box }, i) => {
    const [category, status] = label.split(' ');
    return `${i + 1}. ${category}\n   状态：${status}\n   <box>(${box[0]},${box[1]}),(${box[2]},${box[3]})</box>`;
  });
  const text = [`检测到${scene.boxes.length}个设备：`, ...lines].join('\n');
  const rewards = {
    format: cut ? 0.3 : 1,
    bbox: clamp(1.9 * skill - 0.9, -1, 1),
    category: clamp(2.1 * skill - 1, -1, 1),
    completeness: cut ? -0.4 : 1,
  };
  const reward = Object.entries(WEIGHTS).reduce((sum, [term, weight]) => sum + weight * rewards[term as keyof typeof rewards], 0);
  return { text: cut ? text.slice(0, -6) : text, boxes, tokens: cut ? 160 : 24 + boxes.length * 32, truncated: cut, rewards, reward, advantage: 0 };
}

const whole = (box: LabelledBox['box']) => box.map((value) => clamp(Math.round(value), 0, 1000)) as LabelledBox['box'];

/** What GRPO logs of a step beside the common columns. */
export function grpoMetrics(step: number, config: TrainingConfig, groups: readonly CompletionGroup[]): Record<string, number> {
  const rows = groups.flatMap(({ completions }) => completions);
  const ended = rows.filter(({ truncated }) => !truncated);
  const lengths = rows.map(({ tokens }) => tokens);
  const rewards = rows.map(({ reward }) => reward ?? 0);
  const terms = Object.keys(WEIGHTS).flatMap((term) => {
    const values = rows.map((row) => row.rewards[term] ?? 0);
    return [[`rewards/${term}/mean`, mean(values)], [`rewards/${term}/std`, spread(values)]];
  });
  return {
    loss: 0.004 * chance(step),
    reward: mean(rewards),
    reward_std: spread(rewards),
    ...(config.beta > 0 ? { kl: 0.002 * step + 0.01 * Math.abs(chance(step + 3)) } : {}),
    frac_reward_zero_std: groups.filter(({ completions }) => spread(completions.map(({ reward }) => reward ?? 0)) === 0).length / groups.length,
    ...Object.fromEntries(terms),
    'completions/mean_length': mean(lengths),
    'completions/min_length': Math.min(...lengths),
    'completions/max_length': Math.max(...lengths),
    'completions/mean_terminated_length': mean(ended.map(({ tokens }) => tokens)),
    'completions/min_terminated_length': Math.min(...ended.map(({ tokens }) => tokens)),
    'completions/max_terminated_length': Math.max(...ended.map(({ tokens }) => tokens)),
    'completions/clipped_ratio': 1 - ended.length / rows.length,
    'clip_ratio/low_mean': 0.004 + 0.003 * Math.abs(chance(step)),
    'clip_ratio/low_min': 0,
    'clip_ratio/high_mean': 0.006 + 0.004 * Math.abs(chance(step + 1)),
    'clip_ratio/high_max': 0.05,
    'clip_ratio/region_mean': 0.01 + 0.004 * Math.abs(chance(step + 2)),
    entropy: 0.42 * Math.exp(-step / 60) + 0.02 * chance(step),
    generate_ms: 940 + 120 * chance(step),
    score_ms: 22 + 6 * chance(step + 1),
    log_probs_ms: 210 + 20 * chance(step + 2),
    backward_ms: 560 + 40 * chance(step + 3),
    step_time_ms: 1790 + 160 * chance(step),
  };
}

/** What DPO logs of a step beside the common columns. Both log-probabilities fall, as they often do. */
export function dpoMetrics(step: number): Record<string, number> {
  const learned = 1 - Math.exp(-step / 18);
  const margin = 0.85 * learned + 0.12 * chance(step);
  const accuracy = clamp(0.5 + 0.45 * learned + 0.08 * chance(step + 1), 0, 1);
  const chosen = -0.35 * learned + 0.05 * chance(step + 2);
  return {
    loss: Math.log(1 + Math.exp(-margin)),
    accuracy,
    reward_margin: margin,
    'rewards/chosen': chosen,
    'rewards/rejected': chosen - margin,
    'rewards/accuracies': accuracy,
    'rewards/margins': margin,
    'logps/chosen': -12 - 3.5 * learned + chance(step),
    'logps/rejected': -15 - 12 * learned + chance(step + 4),
    'logits/chosen': -1.2 - 0.1 * learned,
    'logits/rejected': -1.3 - 0.2 * learned,
    entropy: 0.3 - 0.05 * learned,
    mean_token_accuracy: 0.91 + 0.03 * learned,
  };
}

/** Metrics of a validation; `skill` grows from 0 to 1 over a run. */
export function validationMetrics(config: TrainingConfig, skill: number): Partial<ValRow> {
  if (config.method === 'dpo') {
    const margin = 0.8 * skill;
    return { val_loss: Math.log(1 + Math.exp(-margin)), val_accuracy: 0.5 + 0.44 * skill, val_reward_margin: margin, eval_loss: Math.log(1 + Math.exp(-margin)), 'eval_rewards/accuracies': 0.5 + 0.44 * skill };
  }
  const reward = 3.1 + 1.6 * skill;
  const detection = { eval_format: 0.9 + 0.1 * skill, eval_bbox_iou: 0.6 + 0.2 * skill, eval_category: 0.7 + 0.2 * skill, eval_status: 0.6 + 0.25 * skill, eval_completeness: 0.85 + 0.1 * skill, eval_f1: 0.6 + 0.25 * skill };
  if (config.method === 'grpo-trl') return { eval_reward: reward, 'eval_rewards/bbox/mean': 0.4 + 0.3 * skill, ...detection };
  return { val_reward: reward, val_format: 1, val_bbox: 0.4 + 0.3 * skill, val_category: 0.5 + 0.3 * skill, val_completeness: 0.9, ...detection };
}

/** Common columns that both kinds of GRPO write their own way. */
export function methodColumns(row: TrainRow, config: TrainingConfig): Record<string, number> {
  return config.method === 'grpo' ? { lr: row.learning_rate } : {};
}
