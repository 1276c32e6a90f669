/** Everything shown about one run, whether it trains now or was opened from storage. */
import { METHODS, type Method } from '../../protocol/config.ts';
import type { ErrorRecord } from '../../protocol/errors.ts';
import type { BestCheckpoint, RunEnvironment, RunNotice, TrainingLog, TrainRow, ValRow } from '../../protocol/log.ts';
import { isUnderWay, type AnswerPreview, type CompletionGroup, type RunStatus, type RunSummary } from '../../protocol/messages.ts';

export class RunRecord {
  readonly id: string;
  name = $state('');
  status = $state<RunStatus>('preparing');
  step = $state(0);
  totalSteps = $state(0);
  secondsLeft = $state<number | null>(null);
  best = $state.raw<BestCheckpoint | null>(null);
  notices = $state.raw<RunNotice[]>([]);
  answers = $state.raw<AnswerPreview[]>([]);
  /** Steps whose sampled answers are stored, ascending. */
  completionSteps = $state.raw<readonly number[]>([]);
  /** Sampled answers of the newest of them, as far as this tab has heard of them. */
  newestCompletions = $state.raw<readonly CompletionGroup[]>([]);
  error = $state.raw<ErrorRecord | null>(null);
  savedAt = $state<number | null>(null);
  savedStep = $state(0);
  resumable = $state(false);
  modelName = $state('');
  config = $state.raw<Record<string, unknown>>({});
  environment = $state.raw<RunEnvironment | null>(null);
  finalMetrics = $state.raw<TrainingLog['final_metrics']>({});
  /** Grows whenever rows are added; the arrays themselves are plain so that long runs stay cheap. */
  version = $state(0);
  readonly trainRows: TrainRow[] = [];
  readonly valRows: ValRow[] = [];

  constructor(id: string, name: string) {
    this.id = id;
    this.name = name;
  }

  get active(): boolean {
    return isUnderWay(this.status);
  }

  /** Logs of other makers name no method: they are supervised training. */
  get method(): Method {
    return METHODS.find((name) => name === this.config.method) ?? 'sft';
  }

  get lastTrain(): TrainRow | undefined {
    void this.version;
    return this.trainRows.at(-1);
  }

  get firstVal(): ValRow | undefined {
    void this.version;
    return this.valRows[0];
  }

  get lastVal(): ValRow | undefined {
    void this.version;
    return this.valRows.at(-1);
  }

  /** Adds rows; a row of a step that is already there (after a resume) replaces it and all later ones. */
  append(train: readonly TrainRow[], val: readonly ValRow[]): void {
    for (const row of train) insert(this.trainRows, row);
    for (const row of val) insert(this.valRows, row);
    if (train.length + val.length > 0) this.version += 1;
  }

  /** Takes the sampled answers of a step; a step that is computed again after a resume replaces all later ones. */
  takeCompletions(step: number, groups: readonly CompletionGroup[]): void {
    this.completionSteps = [...this.completionSteps.filter((other) => other < step), step];
    this.newestCompletions = groups;
  }

  /** Adds steps found in storage to those heard of. */
  knowCompletions(steps: readonly number[]): void {
    const others = steps.filter((step) => !this.completionSteps.includes(step));
    if (others.length > 0) this.completionSteps = [...others, ...this.completionSteps].sort((a, b) => a - b);
  }

  /** Takes over a whole log, replacing what was there. */
  fill(log: TrainingLog): void {
    refill(this.trainRows, log.train_history);
    refill(this.valRows, log.val_history);
    this.best = log.best_checkpoint;
    this.notices = log.notices ?? [];
    this.config = log.config;
    this.environment = log.environment;
    this.finalMetrics = log.final_metrics;
    this.version += 1;
  }

  static fromStorage(summary: RunSummary, log: TrainingLog | null, answers: AnswerPreview[]): RunRecord {
    const run = new RunRecord(summary.id, summary.name);
    run.status = summary.status;
    run.step = summary.step;
    run.totalSteps = summary.totalSteps;
    run.best = summary.bestMetric;
    run.resumable = summary.resumable;
    run.modelName = summary.modelName;
    run.savedAt = Date.parse(summary.updatedAt);
    run.savedStep = summary.step;
    run.answers = answers;
    if (log) run.fill(log);
    return run;
  }
}

function insert<Row extends { step: number }>(rows: Row[], row: Row): void {
  while (rows.length > 0 && rows[rows.length - 1].step >= row.step) rows.pop();
  rows.push(row);
}

/** Replaces what a list holds, one by one: a call takes no hundred thousand arguments. */
function refill<T>(list: T[], rows: readonly T[]): void {
  list.length = 0;
  for (const row of rows) list.push(row);
}
