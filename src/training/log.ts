/** Rows of the training log, and its settings and final figures under the names that the original tools read. */
import type { TrainingConfig } from '../protocol/config.ts';
import { settingsInUse } from '../protocol/presets.ts';
import type { BestCheckpoint, TrainingLog, TrainRow, ValRow } from '../protocol/log.ts';

/** Running figures of a run. Plain data: stored with every checkpoint, so that a resumed log continues digit for digit. */
export interface RunTotals {
  /** Of the log window: sum of loss × weight, the weights, tokens, steps and active milliseconds. */
  window: {
    loss: number;
    weight: number;
    tokens: number;
    steps: number;
    milliseconds: number;
    /** Of the method's own metrics: sum over the steps that have it, and their number. */
    metrics: Record<string, { sum: number; weight: number }>;
  };
  /** Sum of the steps' losses. */
  loss: number;
  tokens: number;
  samples: number;
  /** Without pauses. */
  elapsedMilliseconds: number;
}

export function emptyTotals(): RunTotals {
  return { window: emptyWindow(), loss: 0, tokens: 0, samples: 0, elapsedMilliseconds: 0 };
}

export function emptyWindow(): RunTotals['window'] {
  return { loss: 0, weight: 0, tokens: 0, steps: 0, milliseconds: 0, metrics: {} };
}

/** One finished optimizer step. */
export interface StepResult {
  /** Steps done, this one included. */
  step: number;
  epoch: number;
  loss: number;
  gradNorm: number;
  learningRate: number;
  tokens: number;
  samples: number;
  /** What the step's loss counts in the window's mean, e.g. its label tokens. */
  weight: number;
  /** The method's own figures; each step counts once in the window's mean, as in TRL. */
  metrics: Readonly<Record<string, number>>;
}

/** Adds a step to the totals. */
export function addStep(totals: RunTotals, result: StepResult): void {
  const { window } = totals;
  window.loss += result.loss * result.weight;
  window.weight += result.weight;
  for (const [name, value] of Object.entries(result.metrics)) {
    if (!Number.isFinite(value)) continue;
    const known = window.metrics[name] ?? { sum: 0, weight: 0 };
    window.metrics[name] = { sum: known.sum + value, weight: known.weight + 1 };
  }
  window.tokens += result.tokens;
  window.steps += 1;
  totals.loss += result.loss;
  totals.tokens += result.tokens;
  totals.samples += result.samples;
}

/** The row of the step that ends the window. */
export function trainRow(totals: RunTotals, last: StepResult, gpuBytes: number, time: Date): TrainRow {
  const { window } = totals;
  const seconds = Math.max(window.milliseconds, 1e-3) / 1000;
  return {
    step: last.step,
    epoch: last.epoch,
    loss: window.loss / window.weight,
    learning_rate: last.learningRate,
    grad_norm: last.gradNorm,
    tokens_per_second: window.tokens / seconds,
    step_time_ms: window.milliseconds / window.steps,
    gpu_memory_mb: gpuBytes / 2 ** 20,
    num_tokens: totals.tokens,
    samples: totals.samples,
    ...Object.fromEntries(Object.entries(window.metrics).map(([name, { sum, weight }]) => [name, sum / weight])),
    elapsed_s: totals.elapsedMilliseconds / 1000,
    time: time.toISOString(),
  };
}

/** Keys of a train row that the clock decides; everything else is a function of settings, data, seed and step. */
export const CLOCK_KEYS: readonly (keyof TrainRow)[] = [
  'tokens_per_second',
  'step_time_ms',
  'gpu_memory_mb',
  'elapsed_s',
  'time',
  'generate_ms',
  'score_ms',
  'log_probs_ms',
  'backward_ms',
];

/** What the log says about where things came from. */
export interface LogSources {
  modelPath: string;
  outputDir: string;
  trainData: string;
  validationData: string;
}

/** `config` of training_log.json: our settings, and beside them the fields of the original's dataclass under its names. */
export function logConfig(config: TrainingConfig, sources: LogSources): Record<string, unknown> {
  return {
    ...settingsInUse(config),
    model_path: sources.modelPath,
    output_dir: sources.outputDir,
    train_data: sources.trainData,
    val_data: sources.validationData,
    num_epochs: config.num_train_epochs,
    batch_size: config.per_device_train_batch_size,
    lora_r: config.r,
    lora_target_modules: config.target_modules,
    use_4bit: config.load_in_4bit,
    use_8bit: config.load_in_8bit,
    ...(config.method === 'grpo' ? { kl_coef: config.beta, clip_range: config.epsilon } : {}),
  };
}

/** `final_metrics` of training_log.json: the original's two keys, and the last row of transformers.Trainer. */
export function finalMetrics(
  totals: RunTotals,
  at: { step: number; epoch: number },
  best: BestCheckpoint | null,
  lastValidation: ValRow | undefined,
): TrainingLog['final_metrics'] {
  const seconds = totals.elapsedMilliseconds / 1000;
  const rate = (count: number) => (seconds > 0 ? count / seconds : 0);
  const evaluated = Object.entries(lastValidation ?? {}).filter((entry): entry is [string, number] => {
    return /^(eval|val)_/.test(entry[0]) && typeof entry[1] === 'number';
  });
  return {
    best_metric: best?.value ?? null,
    best_checkpoint: best?.path ?? null,
    train_loss: at.step > 0 ? totals.loss / at.step : null,
    train_runtime: seconds,
    train_samples_per_second: rate(totals.samples),
    train_steps_per_second: rate(at.step),
    num_tokens: totals.tokens,
    step: at.step,
    epoch: at.epoch,
    ...Object.fromEntries(evaluated),
  };
}
