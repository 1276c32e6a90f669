/** A sweep's runs as rows of a table and lines of a plot. Pure. */
import type { RunSummary } from '../../protocol/messages.ts';
import type { SweepKey } from '../../protocol/sweep.ts';
import { directionOf, type Direction } from '../../reports/metrics.ts';
import type { SweepRecord, SweepRun } from '../../storage/sweeps.ts';

/** How a planned run stands, its own run's fate included. */
export type RowState = SweepRun['state'] | 'interrupted' | 'leftOut' | 'deleted';

export interface ResultRow {
  number: number;
  planned: SweepRun;
  state: RowState;
  /** null before it began, or when it was deleted. */
  run: RunSummary | null;
  /** By metric; the run's best value stands under its own metric. */
  metrics: Record<string, number>;
}

/** Last training loss, beside the metrics of the validations. */
export const LAST_LOSS = 'loss';

/** Runs of a sweep that have not come to an end. */
export function runsLeft(sweep: SweepRecord): number {
  return sweep.runs.filter(({ state }) => state === 'waiting' || state === 'running').length;
}

/**
 * Rows in the planned order.
 * @param active whether some tab runs the sweep
 */
export function resultRows(sweep: SweepRecord, runs: readonly RunSummary[], active: boolean): ResultRow[] {
  const byId = new Map(runs.map((run) => [run.id, run]));
  return sweep.runs.map((planned, i) => {
    const run = (planned.runId !== null && byId.get(planned.runId)) || null;
    return { number: i + 1, planned, state: rowState(sweep, planned, run, active), run, metrics: run ? metricsOf(run) : {} };
  });
}

function rowState(sweep: SweepRecord, planned: SweepRun, run: RunSummary | null, active: boolean): RowState {
  // A run may have been resumed alone after it failed or was stopped or cut off.
  if (run?.status === 'finished') return 'done';
  if (planned.state === 'running' || planned.state === 'waiting') {
    if (active) return planned.state;
    if (sweep.state === 'stopped') return run ? 'interrupted' : 'leftOut';
    return run ? 'interrupted' : 'waiting';
  }
  return planned.runId !== null && !run ? 'deleted' : planned.state;
}

function metricsOf(run: RunSummary): Record<string, number> {
  const metrics: Record<string, number> = {};
  for (const [name, value] of Object.entries(run.finalMetrics)) {
    if (typeof value === 'number' && Number.isFinite(value) && directionOf(name) !== 'unknown') metrics[name] = value;
  }
  if (run.bestMetric) metrics[run.bestMetric.metric] = run.bestMetric.value;
  if (run.lastLoss !== null) metrics[LAST_LOSS] = run.lastLoss;
  return metrics;
}

/** Metrics that any row has: the one that chooses the best adapter first. */
export function metricsIn(rows: readonly ResultRow[]): string[] {
  const chosen = rows.flatMap(({ run }) => (run?.bestMetric ? [run.bestMetric.metric] : []));
  return [...new Set([...chosen, ...rows.flatMap(({ metrics }) => Object.keys(metrics))])];
}

/** Which way a metric is better; the runs' own greater_is_better counts for their own metric. */
export function directionIn(rows: readonly ResultRow[], metric: string): Direction {
  const config = rows.find(({ run }) => run?.config.metric_for_best_model === metric)?.run?.config;
  if (config) return config.greater_is_better ? 'higher' : 'lower';
  return directionOf(metric);
}

/** The best row by a metric; the first of equals; null without values or direction. */
export function bestRow(rows: readonly ResultRow[], metric: string): ResultRow | null {
  const direction = directionIn(rows, metric);
  if (direction === 'unknown') return null;
  let best: ResultRow | null = null;
  for (const row of rows) {
    if (!Object.hasOwn(row.metrics, metric)) continue;
    if (best === null || (direction === 'lower' ? row.metrics[metric] < best.metrics[metric] : row.metrics[metric] > best.metrics[metric])) best = row;
  }
  return best;
}

/** Place of each value of an axis between 0 (bottom) and 1 (top): numbers by size or by power of ten, others one after the other. */
export interface PlotAxis {
  name: string;
  /** Values named at the axis, bottom first, with their places. */
  ticks: { at: number; value: unknown }[];
  place(value: unknown): number | null;
}

/** An axis through all given values. Positive numbers that span a factor of 20 are spread by powers of ten. */
export function plotAxis(name: string, values: readonly unknown[]): PlotAxis {
  const known = values.filter((value) => value !== undefined && value !== null);
  const numbers = known.filter((value): value is number => typeof value === 'number');
  if (numbers.length === known.length && numbers.length > 0) {
    const low = Math.min(...numbers);
    const high = Math.max(...numbers);
    const log = low > 0 && high / low >= 20;
    const scaled = (value: number) => (low === high ? 0.5 : log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low));
    const middle = log ? Math.sqrt(low * high) : (low + high) / 2;
    const ends = low === high ? [low] : [low, Number(middle.toPrecision(2)), high];
    return { name, ticks: ends.map((value) => ({ at: scaled(value), value })), place: (value) => (typeof value === 'number' ? scaled(value) : null) };
  }
  const names = [...new Set(known.map((value) => JSON.stringify(value)))];
  const spread = (index: number) => (names.length === 1 ? 0.5 : index / (names.length - 1));
  return {
    name,
    ticks: names.map((text, i) => ({ at: spread(i), value: JSON.parse(text) as unknown })),
    place: (value) => {
      const index = value === undefined ? -1 : names.indexOf(JSON.stringify(value));
      return index < 0 ? null : spread(index);
    },
  };
}

/** Settings that vary in a sweep. */
export function variedKeys(sweep: SweepRecord): SweepKey[] {
  return sweep.definition.axes.map(({ key }) => key);
}
