/** A hyper-parameter sweep as plain data: which settings vary and how, and the runs that come of it. */
import { parseTrainingConfig, trainingConfigSchema } from './config.ts';
import type { TrainingConfig } from './config.ts';
import { LorikeetError } from './errors.ts';
import { uniformNumbers } from './uniform-numbers.ts';

export type SweepKey = Exclude<keyof TrainingConfig, 'method'>;

/** The values of one setting: listed, or between two bounds. */
export type SweepAxis =
  | { key: SweepKey; kind: 'list'; values: readonly unknown[] }
  | { key: SweepKey; kind: 'range'; from: number; to: number; scale: 'linear' | 'log'; whole: boolean; /** Values on a grid; random search draws from all between the bounds. */ points: number };

export interface SweepDefinition {
  name: string;
  search: 'grid' | 'random';
  /** Order of the draws of a random search. */
  seed: number;
  /** A grid is cut off here; a random search makes so many runs. */
  maxRuns: number;
  axes: readonly SweepAxis[];
}

/** Settings of one run that differ from the common ones. */
export type SweepSettings = Partial<Record<SweepKey, unknown>>;

export interface PlannedSweep {
  runs: SweepSettings[];
  /** Runs of the whole grid; more than `runs` when the grid was cut off. null for a random search. */
  gridSize: number | null;
}

export const MAX_SWEEP_RUNS = 200;
const MAX_POINTS = 100;
/** Draws in vain, one after the other, before a random search counts as exhausted. */
const MAX_MISSES = 200;

/**
 * The runs of a sweep, each checked as a whole set of settings.
 * @param base settings common to all runs
 * @throws LorikeetError "config" naming the setting that has no values, wrong ones, or none that go together with the others
 */
export function planSweep(base: TrainingConfig, definition: SweepDefinition): PlannedSweep {
  const { axes, maxRuns } = definition;
  if (!Number.isInteger(maxRuns) || maxRuns < 1 || maxRuns > MAX_SWEEP_RUNS) throw refused(null, `A sweep makes 1 to ${MAX_SWEEP_RUNS} runs, not ${maxRuns}.`);
  if (axes.length === 0) throw refused(null, 'No setting varies.');
  const keys = new Set<string>();
  for (const axis of axes) {
    if (!Object.hasOwn(trainingConfigSchema.entries, axis.key) || (axis.key as string) === 'method') throw refused(axis.key, `${axis.key} is not a setting that can vary.`);
    if (keys.has(axis.key)) throw refused(axis.key, `${axis.key} varies twice.`);
    keys.add(axis.key);
    checkAxis(axis);
  }
  const plan = definition.search === 'grid' ? gridOf(axes, maxRuns) : { runs: drawn(axes, maxRuns, definition.seed), gridSize: null };
  for (const [at, settings] of plan.runs.entries()) checkTogether(base, settings, at + 1);
  return plan;
}

/** Values that are fine one by one may not go together: the error names the run as well. */
function checkTogether(base: TrainingConfig, settings: SweepSettings, number: number): void {
  try {
    sweepConfig(base, settings);
  } catch (error) {
    const { code, message, advice, place } = LorikeetError.from(error);
    const values = Object.entries(settings).map(([key, value]) => `${key} ${JSON.stringify(value)}`);
    throw new LorikeetError(code, `Run ${number} (${values.join(', ')}): ${message}`, advice, place);
  }
}

/** The complete settings of one planned run. */
export function sweepConfig(base: TrainingConfig, settings: SweepSettings): TrainingConfig {
  return parseTrainingConfig({ ...base, ...settings });
}

/** How many times as long as the common settings' run this one takes, as far as steps and batch tell. */
export function relativeLength(base: TrainingConfig, settings: SweepSettings): number {
  const run = sweepConfig(base, settings);
  const samples = (config: TrainingConfig) => config.per_device_train_batch_size * config.gradient_accumulation_steps;
  if (base.max_steps > 0 && run.max_steps > 0) return (run.max_steps * samples(run)) / (base.max_steps * samples(base));
  if (base.max_steps <= 0 && run.max_steps <= 0) return run.num_train_epochs / base.num_train_epochs;
  return 1;
}

/** Values of an axis on a grid, without repetition. */
export function gridValues(axis: SweepAxis): unknown[] {
  if (axis.kind === 'list') return distinct(axis.values);
  const count = axis.from === axis.to ? 1 : axis.points;
  return distinct(Array.from({ length: count }, (_, i) => between(axis, count === 1 ? 0 : i / (count - 1))));
}

function gridOf(axes: readonly SweepAxis[], maxRuns: number): PlannedSweep {
  const values = axes.map(gridValues);
  const gridSize = values.reduce((product, list) => product * list.length, 1);
  const runs = Array.from({ length: Math.min(gridSize, maxRuns) }, (_, index) => {
    const settings: SweepSettings = {};
    // The last setting varies fastest.
    let stride = gridSize;
    axes.forEach(({ key }, i) => {
      stride /= values[i].length;
      settings[key] = values[i][Math.floor(index / stride) % values[i].length];
    });
    return settings;
  });
  return { runs, gridSize };
}

/** Independent draws for every setting; a combination that was drawn before is drawn anew. */
function drawn(axes: readonly SweepAxis[], maxRuns: number, seed: number): SweepSettings[] {
  const random = uniformNumbers(seed);
  const runs: SweepSettings[] = [];
  const seen = new Set<string>();
  for (let misses = 0; runs.length < maxRuns && misses < MAX_MISSES; ) {
    const settings: SweepSettings = {};
    for (const axis of axes) settings[axis.key] = axis.kind === 'list' ? axis.values[Math.floor(random() * axis.values.length)] : between(axis, random());
    const name = JSON.stringify(settings);
    if (seen.has(name)) {
      misses++;
      continue;
    }
    misses = 0;
    seen.add(name);
    runs.push(settings);
  }
  return runs;
}

function between({ from, to, scale, whole }: Extract<SweepAxis, { kind: 'range' }>, share: number): number {
  const exact = scale === 'log' ? from * (to / from) ** share : from + (to - from) * share;
  // Four digits tell learning rates apart and stay readable; the bounds themselves are kept exactly.
  if (share === 0) return from;
  if (share === 1) return to;
  return whole ? Math.round(exact) : Number(exact.toPrecision(4));
}

function checkAxis(axis: SweepAxis): void {
  if (axis.kind === 'list') {
    if (axis.values.length === 0) throw refused(axis.key, `${axis.key} has no values.`);
    if (axis.values.length > MAX_POINTS) throw refused(axis.key, `${axis.key} has ${axis.values.length} values; at most ${MAX_POINTS} are planned.`);
    return;
  }
  const { key, from, to, scale, whole, points } = axis;
  if (!Number.isFinite(from) || !Number.isFinite(to)) throw refused(key, `${key} needs two numbers as its bounds.`);
  if (from > to) throw refused(key, `${key} ranges from ${from} down to ${to}; the lower bound comes first.`);
  if (scale === 'log' && from <= 0) throw refused(key, `${key} ranges from ${from}; a logarithmic range needs bounds above 0.`);
  if (whole && !(Number.isInteger(from) && Number.isInteger(to))) throw refused(key, `${key} takes whole numbers, but a bound of its range is not.`);
  if (!Number.isInteger(points) || points < 1 || points > MAX_POINTS) throw refused(key, `${key} has ${points} points; 1 to ${MAX_POINTS} are planned.`);
}

function refused(key: string | null, message: string): LorikeetError {
  return new LorikeetError('config', message, 'Correct the sweep.', key === null ? {} : { field: key });
}

function distinct(values: readonly unknown[]): unknown[] {
  const seen = new Map(values.map((value) => [JSON.stringify(value), value]));
  return [...seen.values()];
}
