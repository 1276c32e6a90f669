/** Which charts a run has: one per metric, training and validation together. Pure. */
import { TRAIN_COLOUR, VALIDATION_COLOUR } from '../../reports/colours.ts';
import { baseName } from '../../reports/metrics.ts';
import type { Places } from './axes.ts';
import { VALIDATION_DASH, type CurveLine } from './curve-line.ts';
import { GROUPS, groupOf, type GroupName } from './groups.ts';
import type { RunHistories } from './history.ts';
import { seriesOver, smooth, type SmoothingKind } from './series.ts';

export interface RunCurve {
  /** Shared by training and validation. */
  metric: string;
  /** Keys in the rows. */
  train: string[];
  validation: string[];
}

/** Every metric of a run, in the order of first appearance, training first. */
export function curvesOf(run: RunHistories): RunCurve[] {
  const curves = new Map<string, RunCurve>();
  for (const side of ['train', 'validation'] as const) {
    for (const own of run[side].metrics()) {
      const metric = baseName(own);
      const curve = curves.get(metric) ?? { metric, train: [], validation: [] };
      curve[side].push(own);
      curves.set(metric, curve);
    }
  }
  return [...curves.values()];
}

/** Charts by group; empty groups are left out. */
export function grouped<Curve extends { metric: string }>(curves: readonly Curve[], search: string): { group: GroupName; curves: Curve[] }[] {
  const wanted = search.trim().toLowerCase();
  const found = curves.filter(({ metric }) => metric.toLowerCase().includes(wanted));
  return GROUPS.map((group) => ({ group, curves: found.filter(({ metric }) => groupOf(metric) === group) })).filter(({ curves: some }) => some.length > 0);
}

export interface LineChoices {
  kind: SmoothingKind;
  smoothing: number;
  places: { train: Places; validation: Places };
  words: { train: string; validation: string };
}

/** The lines of one chart: training smoothed over its faint raw line, validation dashed with dots. */
export function linesOf(run: RunHistories, curve: RunCurve, { kind, smoothing, places, words }: LineChoices): CurveLine[] {
  const many = (names: readonly string[], word: string, own: string) => (names.length > 1 ? `${word} ${own}` : word);
  const train = curve.train.map((own): CurveLine => {
    const raw = seriesOver(run.train, own, places.train);
    const smoothed = smoothing > 0 && curve.metric !== 'learning_rate' && curve.metric !== 'lr';
    return {
      key: 'train', label: many(curve.train, words.train, own), colour: 'var(--train)', paper: TRAIN_COLOUR, dots: raw.at.length === 1, dash: [],
      series: smoothed ? smooth(raw, kind, smoothing) : raw, raw: smoothed ? raw : null, band: null,
    };
  });
  const validation = curve.validation.map((own): CurveLine => {
    const series = seriesOver(run.validation, own, places.validation);
    return {
      key: 'validation', label: many(curve.validation, words.validation, own), colour: 'var(--validation)', paper: VALIDATION_COLOUR, dots: series.at.length <= 400,
      dash: VALIDATION_DASH, series, raw: null, band: null,
    };
  });
  return [...train, ...validation].filter(({ series }) => series.at.length > 0).map((line, i, all) => (all.findIndex(({ key }) => key === line.key) === i ? line : { ...line, key: `${line.key} ${i}` }));
}

/** First and last place of any row; both 0 when none is known. */
export function extentOf(places: readonly Places[]): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (const list of places) {
    for (let i = 0; i < list.length; i += 1) {
      if (list[i] < low) low = list[i];
      if (list[i] > high) high = list[i];
    }
  }
  return low > high ? [0, 0] : [low, high];
}
