/** What falls on which step of a run: its learning rate, log rows, validations, checkpoints, and an early end. Functions of settings and log alone. */
import type { AdamWSettings } from '../kernels/adamw.ts';
import type { TrainingConfig } from '../protocol/config.ts';
import type { RunWriter } from '../storage/run-writer.ts';
import type { TrainingMethod } from './methods/method.ts';
import { learningRateAt, warmupSteps } from './schedule.ts';

export class RunAgenda {
  private readonly warmup: number;

  /** @param validates whether there is something to validate on */
  constructor(
    private readonly config: TrainingConfig,
    private readonly method: TrainingMethod,
    private readonly writer: RunWriter,
    private readonly validates: boolean,
  ) {
    this.warmup = warmupSteps(method.totalSteps, config.warmup_ratio);
  }

  /** Of the optimizer step that follows `step` steps. */
  optimizerSettings(step: number): AdamWSettings {
    const { config } = this;
    return {
      learningRate: learningRateAt(config.lr_scheduler_type, step, config.learning_rate, this.warmup, this.method.totalSteps),
      beta1: config.adam_beta1,
      beta2: config.adam_beta2,
      epsilon: config.adam_epsilon,
      weightDecay: config.weight_decay,
      maxGradNorm: config.max_grad_norm,
    };
  }

  logDue(step: number): boolean {
    return step === 1 || step % this.config.logging_steps === 0 || step === this.method.totalSteps;
  }

  /** Before the first step only when the settings say so. */
  validationDueAtStart(step: number): boolean {
    return step === 0 ? this.validates && this.config.eval_on_start : this.validationDue(step);
  }

  validationDue(step: number): boolean {
    return this.validates && step % this.config.eval_steps === 0;
  }

  /** Validations that the last so many steps will bring. */
  validationsIn(steps: number): number {
    return this.validates ? Math.ceil(steps / this.config.eval_steps) : 0;
  }

  /** Whether a checkpoint falls on the state after `step` steps. The original's GRPO script counts samples, not steps. */
  checkpointDue(step: number): boolean {
    const { config, method } = this;
    const every = config.save_steps;
    if (every === 0 || step === 0) return false;
    if (!method.samplesAfter) return step % every === 0;
    return Math.floor(method.samplesAfter(step) / every) > Math.floor(method.samplesAfter(step - 1) / every);
  }

  checkpointName(step: number): string {
    return this.method.samplesAfter ? `checkpoint-samples-${this.method.samplesAfter(step)}` : `checkpoint-${step}`;
  }

  /** Whether so many validations in a row brought no new best that the run is to end. */
  patienceLost(): boolean {
    const { config, writer } = this;
    if (config.early_stopping_patience === 0) return false;
    const since = writer.log().val_history.filter(({ step }) => step > (writer.best?.step ?? 0)).length;
    return since >= config.early_stopping_patience;
  }
}
