/** trainer_state.json: the keys of transformers.TrainerState, and under `lorikeet` what an exact resume needs beyond them. */
import * as v from 'valibot';
import type { TrainingConfig } from '../protocol/config.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { BestCheckpoint, TrainRow, ValRow } from '../protocol/log.ts';
import type { RunTotals } from './log.ts';

const number = v.pipe(v.number(), v.finite());

/** The part we read back. Other keys are for other tools. */
const stateSchema = v.object({
  global_step: v.pipe(number, v.safeInteger(), v.minValue(0)),
  lorikeet: v.strictObject({
    format: v.literal(1),
    /** Tells the training data and its order apart from any other. */
    data_fingerprint: v.string(),
    totals: v.strictObject({
      window: v.strictObject({
        loss: number,
        weight: number,
        tokens: number,
        steps: number,
        milliseconds: number,
        metrics: v.optional(v.record(v.string(), v.strictObject({ sum: number, weight: number })), {}),
      }),
      loss: number,
      tokens: number,
      samples: number,
      elapsedMilliseconds: number,
    }),
  }),
});

export interface TrainerState {
  step: number;
  dataFingerprint: string;
  totals: RunTotals;
}

/** What a checkpoint says besides its tensors. */
export interface TrainerStateContext {
  config: TrainingConfig;
  epoch: number;
  totalSteps: number;
  best: BestCheckpoint | null;
  rows: readonly (TrainRow | ValRow)[];
}

/** The file's bytes: two-space indent, sorted keys, as TrainerState.save_to_json writes it. */
export function writeTrainerState(state: TrainerState, context: TrainerStateContext): Uint8Array {
  const { config, best } = context;
  const file = {
    best_global_step: best?.step ?? null,
    best_metric: best?.value ?? null,
    best_model_checkpoint: best?.path ?? null,
    epoch: context.epoch,
    eval_steps: config.eval_steps,
    global_step: state.step,
    is_hyper_param_search: false,
    is_local_process_zero: true,
    is_world_process_zero: true,
    log_history: [...context.rows].sort((a, b) => a.step - b.step),
    logging_steps: config.logging_steps,
    lorikeet: { format: 1, data_fingerprint: state.dataFingerprint, totals: state.totals },
    max_steps: context.totalSteps,
    num_input_tokens_seen: state.totals.tokens,
    num_train_epochs: Math.ceil(config.num_train_epochs),
    save_steps: config.save_steps,
    stateful_callbacks: {},
    total_flos: 0,
    train_batch_size: config.per_device_train_batch_size,
    trial_name: null,
    trial_params: null,
  };
  return new TextEncoder().encode(`${JSON.stringify(file, null, 2)}\n`);
}

/** @throws LorikeetError "file-corrupt" when the file is not what writeTrainerState writes */
export function readTrainerState(bytes: Uint8Array, file: string): TrainerState {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new LorikeetError('file-corrupt', `${file} is not JSON.`, '', { file }, { cause: error });
  }
  const result = v.safeParse(stateSchema, parsed);
  if (!result.success) {
    const [issue] = result.issues;
    throw new LorikeetError('file-corrupt', `${file}: ${issue.message}`, '', { file, field: v.getDotPath(issue) ?? '' });
  }
  const { global_step: step, lorikeet } = result.output;
  return { step, dataFingerprint: lorikeet.data_fingerprint, totals: lorikeet.totals };
}
