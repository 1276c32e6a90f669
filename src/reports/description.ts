/** What a page says of a run beside its curves: figures, not rows. */
import { bestValue, directionOf, metricNames } from './metrics.ts';
import type { LogDialect, RunLog } from './run-log.ts';
import { runStatistics, type MetricStatistics } from './statistics.ts';
import { summarise, type RunSummary } from './summary.ts';

export interface At {
  value: number;
  step: number;
}

export interface MetricFigures {
  metric: string;
  history: 'train' | 'validation';
  final: At;
  best: At | null;
  atBest: number | null;
}

export interface RunFigures {
  dialect: LogDialect;
  summary: RunSummary;
  metrics: MetricFigures[];
  /** Last step of each history that has one. */
  lastSteps: number[];
  /** Whether there is a validation to tell the values of at the best step. */
  hasAtBest: boolean;
}

export interface RunDescription {
  figures: RunFigures;
  statistics: MetricStatistics[];
}

/** Final and best values of every metric, training first. */
export function runFigures(log: RunLog): RunFigures {
  const summary = summarise(log);
  const of = (history: 'train' | 'validation', finals: RunSummary['finalTrain']) =>
    finals.map(({ metric, value, step }): MetricFigures => ({
      metric,
      history,
      final: { value, step },
      best: bestValue(log[history], metric, directionOf(metric, log)),
      atBest: history === 'validation' ? (summary.atBest[metric] ?? null) : null,
    }));
  return {
    dialect: log.dialect,
    summary,
    metrics: [...of('train', summary.finalTrain), ...of('validation', summary.finalValidation)],
    lastSteps: [log.train, log.validation].flatMap((rows) => rows.slice(-1).map(({ step }) => step)),
    hasAtBest: metricNames(log.validation).length > 0 && summary.best !== null,
  };
}

/** Everything at once: of a long log, work for a worker. */
export function describeRun(log: RunLog): RunDescription {
  return { figures: runFigures(log), statistics: runStatistics(log) };
}
