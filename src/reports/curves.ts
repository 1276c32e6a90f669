/** Which charts a report has: one per metric, training and validation together. */
import { runColour, TRAIN_COLOUR, VALIDATION_COLOUR } from './colours.ts';
import { baseName, bestOf, metricNames, seriesOf, sharedName } from './metrics.ts';
import type { LogRow, RunLog } from './run-log.ts';
import { drawChart } from './svg-chart.ts';
import type { SvgLine } from './svg-chart.ts';
import type { ReportWords } from './words-en.ts';

export interface Curve {
  /** Name shared by training and validation. */
  metric: string;
  svg(standalone: boolean): string;
}

/** A chart for every metric that any row of a run has, also for those that only validation has. */
export function runCurves(run: RunLog, words: ReportWords): Curve[] {
  const best = bestOf(run);
  return group([run], baseName).map(({ metric, sources }) => {
    const lines = sources.map(({ own, history, rows }): SvgLine => {
      const validation = history === 'validation';
      const mark = validation && best?.metric === own ? { step: best.step, value: best.value } : null;
      return { label: validation ? words.chart.validation(own) : words.chart.training, colour: validation ? VALIDATION_COLOUR : TRAIN_COLOUR, dashed: validation, series: seriesOf(rows, own), mark };
    });
    return { metric, svg: (standalone) => drawChart({ title: metric, metric, lines, standalone, words }) };
  });
}

/** The same metric of all runs in one chart: a colour per run, validation dashed. */
export function comparisonCurves(runs: readonly RunLog[], words: ReportWords): Curve[] {
  return group(runs, sharedName).map(({ metric, sources }) => {
    const lines = sources.map(({ own, history, rows, run }): SvgLine => ({
      label: history === 'validation' ? words.chart.validationOf(runs[run].name) : runs[run].name,
      colour: runColour(run),
      dashed: history === 'validation',
      series: seriesOf(rows, own),
    }));
    return { metric, svg: (standalone) => drawChart({ title: metric, metric, lines, standalone, words }) };
  });
}

interface Source {
  run: number;
  own: string;
  history: 'train' | 'validation';
  rows: readonly LogRow[];
}

/** Metrics in the order of first appearance, training before validation. */
function group(runs: readonly RunLog[], nameOf: (metric: string) => string): { metric: string; sources: Source[] }[] {
  const groups = new Map<string, Source[]>();
  for (const history of ['train', 'validation'] as const) {
    runs.forEach((log, run) => {
      const rows = log[history];
      for (const own of metricNames(rows)) {
        if (!rows.some((row) => typeof row[own] === 'number')) continue;
        const metric = nameOf(own);
        const source: Source = { run, own, history, rows };
        const sources = groups.get(metric);
        if (sources) sources.push(source);
        else groups.set(metric, [source]);
      }
    });
  }
  return [...groups].map(([metric, sources]) => ({ metric, sources: sources.sort((a, b) => a.run - b.run) }));
}
