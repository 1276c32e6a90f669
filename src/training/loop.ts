/** The training loop of every method. Every number is a function of settings, data, seed and step: pausing, saving, validating and resuming leave no trace in it. */
import type { TrainingConfig } from '../protocol/config.ts';
import { invariant, LorikeetError } from '../protocol/errors.ts';
import type { RunNotice, TrainingLog, TrainRow } from '../protocol/log.ts';
import type { RunStatus, TrainerEvent } from '../protocol/messages.ts';
import { say, type Saying } from '../protocol/sayings.ts';
import type { RunWriter } from '../storage/run-writer.ts';
import { RunAgenda } from './agenda.ts';
import type { Checkpoints } from './checkpoints.ts';
import { RunControl } from './control.ts';
import { ExplosionGuard } from './explosion-guard.ts';
import { RunClock } from './run-clock.ts';
import { addStep, emptyTotals, emptyWindow, finalMetrics, trainRow } from './log.ts';
import type { StepResult } from './log.ts';
import type { StepWork, TrainingMethod } from './methods/method.ts';
import type { PendingScalar, TrainableModel } from './trainable-model.ts';
import type { TrainerState, TrainerStateContext } from './trainer-state.ts';
import type { Evaluation } from './evaluation.ts';

export interface TrainingRunParts {
  config: TrainingConfig;
  model: TrainableModel;
  method: TrainingMethod;
  /** Identifies the samples and their order, so that a resumed run cannot go on with others. */
  dataFingerprint: string;
  /** Null when there is nothing to validate on or eval_steps is 0. */
  validator: Evaluation | null;
  writer: RunWriter;
  checkpoints: Checkpoints;
  emit: (event: TrainerEvent) => void;
  /** Of the model, for stop_on_explosion; left out where it is not known. */
  vocabularySize?: number;
  /** Milliseconds; never goes back. */
  clock: () => number;
}

/** At one write that is aborted without a reason. */
const ATTEMPTS = 3;

/** A step that the GPU is still working on. */
interface StepInFlight {
  step: number;
  learningRate: number;
  work: StepWork;
  gradNorm: PendingScalar;
}

export class TrainingRun {
  readonly control = new RunControl();
  private readonly agenda: RunAgenda;
  private totals = emptyTotals();
  /** Optimizer steps whose loss and gradient norm are known to be finite. */
  private step = 0;
  private inFlight: StepInFlight | null = null;
  /** On while steps are only repeated to get back to the last good state. */
  private repeating = false;
  private status: RunStatus = 'preparing';
  private readonly time: RunClock;
  private validatedStep: number | null = null;
  private readonly explosions: ExplosionGuard | null;
  private exploded = false;

  constructor(private readonly parts: TrainingRunParts) {
    this.agenda = new RunAgenda(parts.config, parts.method, parts.writer, parts.validator !== null);
    this.time = new RunClock(parts.clock);
    this.explosions = parts.config.stop_on_explosion ? new ExplosionGuard(parts.config.method, parts.vocabularySize ?? null) : null;
  }

  /** Steps done so far. */
  get stepsDone(): number {
    return this.step;
  }

  /**
   * Puts the newest stored state into the model and forgets rows after it. Call before `run` to go on with a stored run.
   * @throws LorikeetError "resume" when nothing can be read or the data are others
   */
  async restore(): Promise<number> {
    const { checkpoints, writer, dataFingerprint } = this.parts;
    const { state, files, lost } = await checkpoints.restore();
    if (state.dataFingerprint !== dataFingerprint) {
      throw new LorikeetError('resume', 'The training samples are not those the run was started with.', 'Load the same dataset with the same settings, then resume.', {
        field: 'dataset',
      });
    }
    for (const { directory, error } of lost) {
      this.notice('warning', say('stateUnreadable', { directory, reason: error.message }));
    }
    this.take(state, files);
    await writer.truncateLog(state.step);
    this.validatedStep = writer.log().val_history.at(-1)?.step ?? null;
    return state.step;
  }

  /** Trains to the end. Never rejects: the outcome is told by events and in the stored run. */
  async run(): Promise<RunStatus> {
    this.time.start();
    let failure: unknown = null;
    try {
      const finished = await this.trainAndEnd();
      this.setStatus(finished ? 'finished' : 'stopped');
      await this.persist(() => this.parts.writer.flush());
      // Packing makes later reading quicker and nothing else: whatever fails there, every row is stored.
      if (finished) await this.parts.writer.compact().catch(() => undefined);
      this.parts.emit({ type: 'finished', runId: this.runId, log: this.parts.writer.log() });
    } catch (error) {
      failure = await this.fail(error);
    }
    this.control.refuseSaves(failure ?? new LorikeetError('config', 'The run has ended.', 'Its last state is stored already.'));
    return this.status;
  }

  private get runId(): string {
    return this.parts.writer.run.id;
  }

  /** @returns false when the run was stopped before its last step */
  private async trainAndEnd(): Promise<boolean> {
    const { validator, config, checkpoints, method } = this.parts;
    this.setStatus('running');
    if (checkpoints.newestStep === null) await this.saveResumeState();
    await method.prepare?.(() => this.breathe());
    if (this.agenda.validationDueAtStart(this.step) && this.validatedStep !== this.step) await this.validate();
    if (!this.agenda.patienceLost()) await this.trainUntil(method.totalSteps);
    const finished = this.step === method.totalSteps || this.agenda.patienceLost();
    if (finished && this.step < method.totalSteps) this.notice('info', say('earlyStopped', { step: this.step, count: config.early_stopping_patience }));
    // After an explosion the state stored before it is worth more.
    if (!finished && !this.exploded) await this.saveResumeState();
    if (validator && this.step > 0 && this.validatedStep !== this.step) await this.validate();
    await this.persist(() => checkpoints.saveAdapter('final', this.step));
    if (finished) await this.persist(() => checkpoints.dropResumeState());
    this.parts.writer.append([], { step: this.step, finalMetrics: this.finalMetrics() });
    return finished;
  }

  private async trainUntil(end: number): Promise<void> {
    let submitted = this.step;
    while (submitted < end && !this.control.stopRequested && !(this.agenda.patienceLost() && !this.repeating)) {
      const next = await this.submit(submitted);
      if (!next) break;
      const previous = this.inFlight;
      this.inFlight = next;
      submitted += 1;
      if (previous) await this.finish(previous);
      this.lap('training');
      if (!this.repeating && this.boundaryDue(submitted)) {
        await this.settle();
        await this.atBoundary();
      }
    }
    await this.settle();
  }

  /** Puts one optimizer step on the GPU; null when the run is stopped half-way through it. */
  private async submit(step: number): Promise<StepInFlight | null> {
    const { method, model } = this.parts;
    const work = await method.accumulate(step, () => this.breathe());
    if (!work) return null;
    const settings = this.agenda.optimizerSettings(step);
    const gradNorm = await model.optimizerStep(settings);
    return { step: step + 1, learningRate: settings.learningRate, work, gradNorm };
  }

  /** Obeys the page between two pieces of a step; false when the run is to stop. */
  private async breathe(): Promise<boolean> {
    if (!this.repeating) await this.obey();
    return !this.control.stopRequested;
  }

  /** Reads a step's figures and logs them. */
  private async finish({ step, learningRate, work, gradNorm: pendingNorm }: StepInFlight): Promise<void> {
    const [gradNorm, { loss, metrics }] = await Promise.all([pendingNorm.read(), work.read()]);
    const { tokens, samples, weight } = work;
    const result: StepResult = { step, epoch: this.parts.method.epochAfter(step), learningRate, loss, gradNorm, tokens, samples, weight, metrics };
    if (!Number.isFinite(loss) || !Number.isFinite(gradNorm)) throw notFinite(result);
    this.lap('training');
    this.time.stepDone();
    addStep(this.totals, result);
    this.step = step;
    if (this.agenda.logDue(step)) {
      if (!this.repeating) await this.log(result, work);
      this.totals.window = emptyWindow();
    }
    if (!this.repeating) this.announce();
  }

  private async log(result: StepResult, work: StepWork): Promise<void> {
    const { writer, model, emit, config } = this.parts;
    const row = trainRow(this.totals, result, model.gpuBytes(), new Date());
    // The original's GRPO script calls it so.
    if (config.method === 'grpo') row.lr = row.learning_rate;
    writer.append([{ kind: 'train', row }], { step: row.step, lastLoss: row.loss });
    emit({ type: 'train', runId: this.runId, row });
    this.watch(row);
    const sampled = await work.completions?.();
    if (!sampled) return;
    const { groups, images } = sampled;
    for (const [sample, image] of images) await this.persist(() => writer.keepSampleImage(sample, image));
    await this.persist(() => writer.writeCompletions(row.step, groups));
    emit({ type: 'completions', runId: this.runId, step: row.step, groups });
  }

  /** Ends a run that has exploded, where its settings say so. */
  private watch(row: TrainRow): void {
    const reason = this.explosions?.take({ ...row });
    if (!reason || this.exploded) return;
    this.exploded = true;
    this.notice('error', reason);
    this.control.stop();
  }

  private async settle(): Promise<void> {
    const flight = this.inFlight;
    this.inFlight = null;
    if (flight) await this.finish(flight);
  }

  private boundaryDue(step: number): boolean {
    return this.agenda.validationDue(step) || this.agenda.checkpointDue(step) || this.time.saveOverdue || this.parts.writer.failure !== null;
  }

  /** Between two steps, with nothing in flight. */
  private async atBoundary(): Promise<void> {
    const { writer } = this.parts;
    if (writer.failure) await this.persist(() => writer.flush());
    if (this.agenda.checkpointDue(this.step)) await this.saveCheckpoint();
    else await this.saveResumeState();
    if (this.agenda.validationDue(this.step)) await this.validate();
  }

  /** Pause and save requests, obeyed where the stored state is that of the last whole step. */
  private async obey(): Promise<void> {
    while (this.control.saveRequested || this.control.pauseRequested) {
      await this.settle();
      if (this.control.saveRequested) {
        await this.control.answerSaves(async () => {
          await this.saveCheckpoint();
          return this.step;
        });
      } else {
        if (this.status !== 'paused') await this.saveResumeState();
        await this.rest();
      }
    }
    if (this.status === 'paused') this.setStatus('running');
  }

  /** Waits for the page's next word; the time does not count. */
  private async rest(): Promise<void> {
    this.setStatus('paused');
    await this.control.signal();
    this.time.start();
  }

  private async validate(): Promise<void> {
    const { validator, model, writer, checkpoints, clock, emit } = this.parts;
    invariant(validator, 'there is something to validate on');
    const started = clock();
    this.setStatus('validating');
    const stops = this.control.stopCount;
    const { samples } = this.totals;
    const at = { step: this.step, epoch: this.parts.method.epochAfter(this.step), samples };
    const result = await validator.run(
      model,
      at,
      async (done, total, stage) => {
        emit({ type: 'progress', task: 'validation', stage, done, total });
        await this.obeyWhileValidating();
        return this.control.stopCount === stops;
      },
      clock,
    );
    model.releaseFree();
    this.validatedStep = this.step;
    if (result) {
      const best = validator.judge(result.row, writer.best);
      const entries = [{ kind: 'val' as const, row: result.row }];
      if (result.answers.length > 0) await this.persist(() => writer.writeAnswers(at.step, result.answers, result.predictions));
      if (best) await this.persist(() => checkpoints.saveAdapter('best', at.step, { entries, best }));
      else writer.append(entries);
      emit({ type: 'validation', runId: this.runId, row: result.row, answers: result.answers, best: writer.best });
    }
    this.time.validationTook(clock() - started);
    this.lap('other');
    this.setStatus('running');
  }

  private async obeyWhileValidating(): Promise<void> {
    if (!this.control.saveRequested && !this.control.pauseRequested) return;
    await this.obey();
    this.setStatus('validating');
  }

  private async saveResumeState(): Promise<void> {
    if (this.parts.checkpoints.newestStep === this.step) return;
    const { checkpoints, method } = this.parts;
    await this.save(() => checkpoints.saveResumeState(this.state(), this.context(), method.store?.(this.step)));
  }

  private async saveCheckpoint(): Promise<void> {
    const { checkpoints, method } = this.parts;
    const name = this.agenda.checkpointName(this.step);
    await this.save(() => checkpoints.saveCheckpoint(name, this.state(), this.context(), method.store?.(this.step)));
  }

  private async save(write: () => Promise<void>): Promise<void> {
    const { clock, emit } = this.parts;
    this.lap('training');
    const started = clock();
    await this.persist(write);
    this.lap('other');
    this.time.saved(clock() - started);
    emit({ type: 'saved', runId: this.runId, step: this.step, at: new Date().toISOString() });
  }

  /**
   * Writes. What browsers abort for no reason is tried again; when the disk is full, the run pauses until the user has made
   * room and says continue (or save).
   */
  private async persist(write: () => Promise<void>): Promise<void> {
    for (let aborted = 0; ; ) {
      try {
        return await write();
      } catch (error) {
        if (error instanceof LorikeetError && error.code === 'storage-failed' && ++aborted < ATTEMPTS) continue;
        if (!(error instanceof LorikeetError) || error.code !== 'storage-full' || this.control.stopRequested) throw error;
        this.notice('error', say('storageFull', { reason: `${error.message} ${error.advice}` }));
        this.control.refuseSaves(error);
        this.control.pause();
        const { status } = this;
        await this.rest();
        this.setStatus(status);
      }
    }
  }

  private state(): TrainerState {
    return { step: this.step, dataFingerprint: this.parts.dataFingerprint, totals: structuredClone(this.totals) };
  }

  private context(): TrainerStateContext {
    const { config, writer } = this.parts;
    const { train_history, val_history } = writer.log();
    return {
      config,
      epoch: this.parts.method.epochAfter(this.step),
      totalSteps: this.parts.method.totalSteps,
      best: writer.best,
      rows: [...train_history, ...val_history],
    };
  }

  private take(state: TrainerState, files: ReadonlyMap<string, Uint8Array>): void {
    this.step = state.step;
    this.totals = state.totals;
    this.inFlight = null;
    this.parts.method.restore?.(state.step, files);
  }

  /** Ends a failed run: gets back to the last good step where that is possible, and tells everyone. */
  private async fail(error: unknown): Promise<LorikeetError> {
    const failure = LorikeetError.from(error);
    this.inFlight = null;
    if (failure.code === 'not-finite') await this.returnToLastGoodStep().catch(() => undefined);
    const stored = this.parts.checkpoints.newestStep;
    const reason = failure.message;
    this.notice('error', stored === null ? say('failedUnstored', { reason }) : say('failedStored', { reason, step: stored }));
    this.parts.writer.append([], { step: this.step, finalMetrics: this.finalMetrics() });
    this.setStatus('failed');
    await this.parts.writer.flush().catch(() => undefined);
    this.parts.emit({ type: 'failed', runId: this.runId, error: failure.toRecord() });
    return failure;
  }

  /** Loads the newest state before the fault and repeats the good steps after it; being deterministic, they give the same weights. */
  private async returnToLastGoodStep(): Promise<void> {
    const { checkpoints, model } = this.parts;
    const good = this.step;
    if (checkpoints.newestStep === good) return;
    this.repeating = true;
    // The fault may have shown between two micro-batches: a step empties the gradient buffer, and restoring undoes the step.
    await model.optimizerStep(this.agenda.optimizerSettings(good));
    const { state, files } = await checkpoints.restore();
    this.take(state, files);
    await this.trainUntil(good);
    await checkpoints.saveResumeState(this.state(), this.context(), this.parts.method.store?.(this.step));
  }

  private finalMetrics(): TrainingLog['final_metrics'] {
    const { writer } = this.parts;
    const at = { step: this.step, epoch: this.parts.method.epochAfter(this.step) };
    return finalMetrics(this.totals, at, writer.best, writer.log().val_history.at(-1));
  }

  private setStatus(status: RunStatus): void {
    this.status = status;
    this.parts.writer.append([], { status });
    this.announce();
  }

  private announce(): void {
    const { status, step } = this;
    this.parts.emit({ type: 'status', runId: this.runId, status, step, totalSteps: this.parts.method.totalSteps, secondsLeft: this.secondsLeft() });
  }

  private secondsLeft(): number | null {
    const steps = this.parts.method.totalSteps - this.step;
    return this.time.secondsLeft(steps, this.agenda.validationsIn(steps));
  }

  private notice(level: RunNotice['level'], saying: Saying): void {
    const notice: RunNotice = { step: this.step, level, ...saying, time: new Date().toISOString() };
    this.parts.writer.notice(notice);
    this.parts.emit({ type: 'notice', runId: this.runId, notice });
  }

  /** Books the time since the last call. */
  private lap(what: 'training' | 'other'): void {
    const passed = what === 'training' ? this.time.training() : this.time.other();
    this.totals.elapsedMilliseconds += passed;
    if (what === 'training') this.totals.window.milliseconds += passed;
  }
}

function notFinite({ step, loss, gradNorm }: StepResult): LorikeetError {
  const [what, value] = Number.isFinite(loss) ? ['gradient norm', gradNorm] : ['loss', loss];
  return new LorikeetError(
    'not-finite',
    `The ${what} became ${value} at step ${step}.`,
    'Lower learning_rate, raise warmup_ratio or lower max_grad_norm, switch mixed_precision off, and look at the samples of this step; the run is kept up to the step before.',
  );
}
