/** The contract of training_log.json: the original system's keys, our additions beside them. */

/** One logged optimizer step. Each method adds its own metrics. Losses are means over label tokens of the rows' window. */
export interface TrainRow {
  step: number;
  /** Epochs done, fractional. */
  epoch: number;
  loss: number;
  learning_rate: number;
  /** Norm before clipping. */
  grad_norm: number;
  tokens_per_second: number;
  step_time_ms: number;
  gpu_memory_mb: number;
  /** Tokens trained on so far, prompt and image tokens included. */
  num_tokens: number;
  /** Samples trained on so far. */
  samples: number;
  /** Seconds since the run started, pauses left out. */
  elapsed_s: number;
  /** ISO 8601. */
  time: string;
  [metric: string]: number | string;
}

/** One validation; each method adds its own metrics. Detection metrics are present when answers were generated. */
export interface ValRow {
  step: number;
  epoch: number;
  eval_loss?: number;
  eval_runtime: number;
  eval_samples: number;
  time: string;
  eval_format?: number;
  eval_bbox_iou?: number;
  eval_bbox_iou50?: number;
  eval_category?: number;
  eval_status?: number;
  eval_completeness?: number;
  eval_precision?: number;
  eval_recall?: number;
  eval_f1?: number;
  [metric: string]: number | string | undefined;
}

/** Which adapter won, and by what. */
export interface BestCheckpoint {
  step: number;
  epoch: number;
  metric: string;
  value: number;
  path: string;
  /** The other figures of that validation, as far as the method's log has them here. */
  [metric: string]: number | string;
}

/** Device and software a run was made with. */
export interface RunEnvironment {
  lorikeet_version: string;
  user_agent: string;
  adapter: string;
  features: string[];
  mixed_precision: 'no' | 'f16';
  quantization: string;
  /** Forms of the kernels that the device's tuning had chosen, by class; a resumed run takes the same. */
  kernel_choices?: Record<string, string>;
}

/** Bad input that was left out, counted and named, and faults the run survived. */
export interface RunNotice {
  step: number;
  level: 'info' | 'warning' | 'error';
  message: string;
  /** Key and values of a sentence in sayings.ts; absent in logs of other makers. */
  key?: string;
  values?: Record<string, string | number>;
  time: string;
}

export interface TrainingLog {
  /** Settings under their own names, and model_path, output_dir, num_epochs, batch_size, lora_r as the original tools read them. */
  config: Record<string, unknown>;
  train_history: TrainRow[];
  val_history: ValRow[];
  best_checkpoint: BestCheckpoint | null;
  final_metrics: Record<string, number | string | null>;
  environment: RunEnvironment;
  notices: RunNotice[];
}
