/** Several runs side by side. */
import { bestOf, bestValue, directionOf, finalValue, metricNames, sharedName } from './metrics.ts';
import type { Direction, RunBest } from './metrics.ts';
import type { LogRow, RunLog } from './run-log.ts';
import { bareObject } from './run-log.ts';
import { formatSetting } from './text.ts';

/** Deeper settings are compared as JSON text. */
const MAX_SETTING_DEPTH = 6;

export interface SettingRow {
  /** Dotted path of nested settings. */
  setting: string;
  /** As text, in the order of the runs; null where a run does not have it. */
  values: (string | null)[];
  differs: boolean;
}

export interface MetricCell {
  value: number;
  step: number;
}

export interface MetricComparison {
  /** Name under which the runs' own names meet. */
  metric: string;
  direction: Direction;
  /** In the order of the runs; null where a run has no value. */
  cells: (MetricCell | null)[];
  /** Runs whose value is the best; empty where the direction is unknown, only one run has a value, or all are equal. */
  winners: number[];
}

export interface Comparison {
  names: string[];
  /** Step of each run's last row; a final value from an earlier row is shown with its step. */
  lastStep: { train: (number | null)[]; validation: (number | null)[] };
  /** All settings, sorted by name. */
  settings: SettingRow[];
  /** Last value of each training metric. */
  finalTrain: MetricComparison[];
  finalValidation: MetricComparison[];
  /** Best value of each validation metric, and of training metrics that have a direction. */
  bestTrain: MetricComparison[];
  bestValidation: MetricComparison[];
  /** Each run's best checkpoint, null where there is none. */
  best: (RunBest | null)[];
  /** Every metric at each run's best step: its validation there, and the last training row up to there. */
  atBestStep: { train: MetricComparison[]; validation: MetricComparison[] };
}

/**
 * Gives runs names that tell them apart: the last folder, with as many parents as it takes, then a number.
 * @param paths folders of the runs, or whatever names them; "/" or "\" separates
 */
export function distinctNames(paths: readonly string[]): string[] {
  const parts = paths.map((path) => path.split(/[/\\]+/).filter((part) => part !== '' && part !== '.'));
  const depth = paths.map(() => 1);
  const nameAt = (i: number) => parts[i].slice(-depth[i]).join('/') || paths[i] || 'run';
  for (;;) {
    const names = paths.map((_, i) => nameAt(i));
    const grow = names.flatMap((name, i) => (names.indexOf(name) !== names.lastIndexOf(name) && depth[i] < parts[i].length ? [i] : []));
    if (grow.length === 0) return numberEqual(names);
    for (const i of grow) depth[i] += 1;
  }
}

function numberEqual(names: readonly string[]): string[] {
  const used = new Set(names);
  const seen = new Set<string>();
  return names.map((name) => {
    if (!seen.has(name)) {
      seen.add(name);
      return name;
    }
    let n = 2;
    while (used.has(`${name} (${n})`)) n += 1;
    const numbered = `${name} (${n})`;
    used.add(numbered);
    return numbered;
  });
}

/** The same runs with names that tell them apart. */
export function nameRuns(runs: readonly RunLog[]): RunLog[] {
  const names = distinctNames(runs.map((run) => run.name));
  return runs.map((run, i) => ({ ...run, name: names[i] }));
}

/** Compares runs; give them distinct names first (nameRuns). */
export function compareRuns(runs: readonly RunLog[]): Comparison {
  const best = runs.map(bestOf);
  const trains = runs.map((run) => run.train);
  const validations = runs.map((run) => run.validation);
  const final = (histories: readonly (readonly LogRow[])[]) => compareMetrics(runs, histories, (rows, metric) => finalValue(rows, metric));
  const bests = (histories: readonly (readonly LogRow[])[]) =>
    compareMetrics(runs, histories, (rows, metric, direction) => bestValue(rows, metric, direction)).filter((row) => row.direction !== 'unknown');
  return {
    names: runs.map((run) => run.name),
    lastStep: { train: runs.map((run) => run.train.at(-1)?.step ?? null), validation: runs.map((run) => run.validation.at(-1)?.step ?? null) },
    settings: compareSettings(runs),
    finalTrain: final(trains),
    finalValidation: final(validations),
    bestTrain: bests(trains),
    bestValidation: bests(validations),
    best,
    atBestStep: {
      train: final(runs.map((run, i) => upTo(run.train, best[i]))),
      validation: final(runs.map((run, i) => run.validation.filter((row) => row.step === best[i]?.step))),
    },
  };
}

function upTo(rows: readonly LogRow[], best: RunBest | null): LogRow[] {
  return best ? rows.filter((row) => row.step <= best.step) : [];
}

type Pick = (rows: readonly LogRow[], metric: string, direction: Direction) => MetricCell | null;

/** One row per metric that any run has, under shared names. */
function compareMetrics(runs: readonly RunLog[], histories: readonly (readonly LogRow[])[], pick: Pick): MetricComparison[] {
  const rows = new Map<string, MetricComparison>();
  histories.forEach((history, i) => {
    for (const own of metricNames(history)) {
      const metric = sharedName(own);
      const row = rows.get(metric) ?? { metric, direction: 'unknown', cells: runs.map(() => null), winners: [] };
      const direction = directionOf(own, runs[i]);
      if (row.direction === 'unknown') row.direction = direction;
      row.cells[i] ??= pick(history, own, direction);
      rows.set(metric, row);
    }
  });
  return [...rows.values()].filter((row) => row.cells.some((cell) => cell !== null)).map((row) => ({ ...row, winners: winnersOf(row) }));
}

function winnersOf({ direction, cells }: MetricComparison): number[] {
  const values = cells.flatMap((cell) => (cell ? [cell.value] : []));
  if (direction === 'unknown' || values.length < 2) return [];
  const low = values.reduce((a, b) => Math.min(a, b));
  const high = values.reduce((a, b) => Math.max(a, b));
  if (low === high) return [];
  const best = direction === 'lower' ? low : high;
  return cells.flatMap((cell, i) => (cell?.value === best ? [i] : []));
}

function compareSettings(runs: readonly RunLog[]): SettingRow[] {
  const flat = runs.map((run) => {
    const settings = bareObject<string>();
    flatten(run.config, '', 0, settings);
    return settings;
  });
  const names = [...new Set(flat.flatMap((settings) => Object.keys(settings)))].sort();
  return names.map((setting) => {
    const values = flat.map((settings) => settings[setting] ?? null);
    return { setting, values, differs: values.some((value) => value !== values[0]) };
  });
}

function flatten(value: Readonly<Record<string, unknown>>, prefix: string, depth: number, into: Record<string, string>): void {
  for (const [key, entry] of Object.entries(value)) {
    const nested = typeof entry === 'object' && entry !== null && !Array.isArray(entry);
    if (nested && depth < MAX_SETTING_DEPTH && Object.keys(entry).length > 0) flatten(entry as Record<string, unknown>, `${prefix}${key}.`, depth + 1, into);
    else into[`${prefix}${key}`] = formatSetting(entry);
  }
}
