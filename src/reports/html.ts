/** The HTML report: one file, no script, nothing loaded. Opens from disk, prints, follows the system's light or dark theme. */
import type { Comparison, MetricComparison } from './compare.ts';
import { comparisonCurves, runCurves } from './curves.ts';
import type { Curve } from './curves.ts';
import { runColour } from './colours.ts';
import { escapeMarkup } from './markup.ts';
import { DIALECT_NAMES } from './run-log.ts';
import type { RunLog } from './run-log.ts';
import { runStatistics } from './statistics.ts';
import { summarise } from './summary.ts';
import { CHART_STYLE } from './svg-chart.ts';
import { formatNumber, formatPlain, formatSeconds, formatSetting } from './text.ts';

const STYLE = `:root{color-scheme:light dark;--page:#f5f7f5;--card:#fff;--ink:#15201b;--muted:#5d6963;--line:#e2e7e3;--good:#dff2e9;--good-ink:#0a5a3f;--warn:#fdf1dd;--warn-ink:#7a3a04}
@media (prefers-color-scheme:dark){:root{--page:#0f1412;--card:#171d1a;--ink:#e6ede9;--muted:#97a49d;--line:#28322d;--good:#12352a;--good-ink:#7fe0b8;--warn:#35290f;--warn-ink:#f2b75f}}
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);font:14px/1.5 system-ui,"Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1240px;margin:0 auto;padding:24px 16px 64px}h1{font-size:24px;margin:0 0 4px}h2{font-size:18px;margin:36px 0 8px;overflow-wrap:anywhere}h3{font-size:14px;margin:20px 0 6px}
p{margin:4px 0}.muted{color:var(--muted)}.note{background:var(--warn);color:var(--warn-ink);border-radius:8px;padding:8px 12px;margin:8px 0}
.info{background:none;color:var(--muted);padding:0}.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:10px}
table{border-collapse:collapse;width:100%}th,td{padding:5px 12px;text-align:right;border-bottom:1px solid var(--line);vertical-align:top}tr:last-child td,tr:last-child th{border-bottom:0}
th:first-child,td:first-child,.text td,.text th{text-align:left}thead th{color:var(--muted);font-weight:600}tbody th{font-weight:500}th,.text td{overflow-wrap:anywhere;min-width:8em}tbody th{min-width:12em}td{white-space:nowrap}.text td{white-space:normal}
.best{background:var(--good);color:var(--good-ink);font-weight:650}.swatch{display:inline-block;width:10px;height:10px;border-radius:50%;margin-right:6px}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,520px),1fr));gap:12px}figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:10px;padding:6px;break-inside:avoid}
svg.chart{display:block;width:100%;height:auto}summary{cursor:pointer;margin:12px 0 6px;color:var(--muted)}
@media print{:root{--page:#fff;--card:#fff;--ink:#000;--muted:#444;--line:#ccc;--good:#e4f4ec;--good-ink:#063}main{max-width:none;padding:0}.figures{grid-template-columns:1fr 1fr}
section{break-before:auto}table,.note{break-inside:avoid}details::details-content{content-visibility:visible;display:block;block-size:auto}*{print-color-adjust:exact}}`;

const POLICY = "default-src 'none'; style-src 'unsafe-inline'";

const e = escapeMarkup;

/**
 * The report of one or more runs.
 * @param runs with distinct names
 * @param comparison of the same runs; left out for a single one
 * @param generated when
 */
export function htmlReport(runs: readonly RunLog[], comparison: Comparison | null, generated: Date): string {
  const title = comparison ? 'Training Comparison Report' : 'Training Report';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}: ${e(runs.map((run) => run.name).join(', ').slice(0, 200))}</title>
<style>${STYLE}
${CHART_STYLE}</style>
</head>
<body>
<main>
<h1>${title}</h1>
<p class="muted">Generated on ${generated.toISOString().slice(0, 19).replace('T', ' ')} UTC · ${runs.length} ${runs.length === 1 ? 'run' : 'runs'}</p>
${comparison ? comparisonSections(runs, comparison) : ''}
${runs.map((run) => runSection(run)).join('\n')}
</main>
</body>
</html>
`;
}

/** @param rows cells that are markup already */
function table(header: readonly string[], rows: readonly (readonly string[])[], kind = ''): string {
  const head = `<thead><tr>${header.map((cell) => `<th scope="col">${cell}</th>`).join('')}</tr></thead>`;
  const body = rows.map(([first, ...rest]) => `<tr><th scope="row">${first}</th>${rest.map((cell) => (cell.startsWith('<td') ? cell : `<td>${cell}</td>`)).join('')}</tr>`).join('\n');
  return `<div class="scroll"><table${kind === '' ? '' : ` class="${kind}"`}>${head}<tbody>\n${body}\n</tbody></table></div>`;
}

function comparisonSections(runs: readonly RunLog[], comparison: Comparison): string {
  const names = runs.map((run, i) => `<span class="swatch" style="background:${runColour(i)}"></span>${e(run.name)}`);
  const settings = (rows: Comparison['settings']) => table(['setting', ...names], rows.map((row) => [e(row.setting), ...row.values.map((value) => (value === null ? '–' : e(value)))]), 'text');
  const different = comparison.settings.filter((row) => row.differs);
  const equal = comparison.settings.filter((row) => !row.differs);
  const metrics = (title: string, rows: readonly MetricComparison[], expected: readonly (number | null)[]) =>
    rows.length === 0 ? '' : `<h3>${title}</h3>${table(['metric', 'better is', ...names], rows.map((row) => [e(row.metric), row.direction, ...row.cells.map((_, i) => metricCell(row, i, expected[i]))]))}`;
  const best = comparison.best;
  const bestSteps = best.map((entry) => entry?.step ?? null);
  return `<section>
<h2>Configuration Comparison</h2>
${different.length > 0 ? settings(different) : `<p class="muted">${comparison.settings.length > 0 ? 'All settings are equal.' : 'The logs hold no settings.'}</p>`}
${equal.length > 0 ? `<details><summary>${equal.length} equal settings</summary>${settings(equal)}</details>` : ''}
</section>
<section>
<h2>Metrics</h2>
<p class="muted">The best run is marked where it is known which way a metric is better.</p>
<h3>Best Checkpoints</h3>
${table(['', ...names], [
  ['step', ...best.map((entry) => (entry ? String(entry.step) : '–'))],
  ['chosen by', ...best.map((entry) => (entry ? `${e(entry.metric)}${entry.recorded ? '' : ' (found among the validations)'}` : '–'))],
  ['value', ...best.map((entry) => (entry ? formatNumber(entry.value) : '–'))],
  ['path', ...best.map((entry) => (entry?.path ? e(entry.path) : '–'))],
])}
${metrics('Best Validation Metrics', comparison.bestValidation, [])}
${metrics('Validation Metrics at the Best Step', comparison.atBestStep.validation, bestSteps)}
${metrics('Final Validation Metrics', comparison.finalValidation, comparison.lastStep.validation)}
${metrics('Final Training Metrics', comparison.finalTrain, comparison.lastStep.train)}
${metrics('Training Metrics at the Best Step', comparison.atBestStep.train, bestSteps)}
</section>
<section>
<h2>Training Curves</h2>
${figures(comparisonCurves(runs))}
</section>`;
}

/** @param expected the step that goes without saying */
function metricCell(row: MetricComparison, run: number, expected: number | null | undefined): string {
  const cell = row.cells[run];
  if (!cell) return '–';
  const text = `${formatNumber(cell.value)}${cell.step === expected ? '' : ` <span class="muted">@${cell.step}</span>`}`;
  return row.winners.includes(run) ? `<td class="best" title="best">${text}</td>` : text;
}

function figures(curves: readonly Curve[]): string {
  return `<div class="figures">\n${curves.map((curve) => `<figure>${curve.svg(false)}</figure>`).join('\n')}\n</div>`;
}

function runSection(run: RunLog): string {
  const summary = summarise(run);
  const { best } = summary;
  const facts: [string, string][] = [
    ['Log', DIALECT_NAMES[run.dialect]],
    ...summary.settings,
    ['Training rows', String(summary.trainRows)],
    ['Validation rows', String(summary.validationRows)],
    ...(summary.finalStep === null ? [] : [['Final step', String(summary.finalStep)] as [string, string]]),
    ...(summary.finalEpoch === null ? [] : [['Final epoch', formatPlain(summary.finalEpoch)] as [string, string]]),
    ...(summary.duration === null ? [] : [['Duration', formatSeconds(summary.duration)] as [string, string]]),
    ...(summary.tokens === null ? [] : [['Tokens', summary.tokens.toLocaleString('en-US')] as [string, string]]),
    ...(summary.device === null ? [] : [['Device', summary.device] as [string, string]]),
    ['Best checkpoint', best ? `step ${best.step}, ${best.metric} ${formatNumber(best.value)}${best.recorded ? '' : ' (found among the validations)'}${best.path ? `, ${best.path}` : ''}` : 'unknown'],
  ];
  const at = (entry: { value: number; step: number } | null) => (entry ? `${formatNumber(entry.value)} <span class="muted">@${entry.step}</span>` : '–');
  const statistics = runStatistics(run).map((row) => [
    e(row.metric), row.history === 'train' ? 'training' : 'validation', String(row.count), String(row.gaps), formatNumber(row.mean), formatNumber(row.variance),
    at(row.min), at(row.max), at(row.last), row.slope === null ? '–' : formatNumber(row.slope), row.best ? `<td class="best" title="${row.direction} is better">${at(row.best)}</td>` : 'unknown',
  ]);
  const settings = Object.entries(run.config).sort(([a], [b]) => (a < b ? -1 : 1));
  return `<section>
<h2>${e(run.name)}</h2>
<p class="muted">${e(run.source)}</p>
${run.notes.map((note) => `<p class="note${note.level === 'info' ? ' info' : ''}">${e(note.message)}</p>`).join('\n')}
${table(['', ''], facts.map(([label, value]) => [label, e(value)]), 'text')}
<h3>Statistics</h3>
${table(['metric', 'of', 'count', 'gaps', 'mean', 'variance', 'min', 'max', 'last', 'slope per step', 'best'], statistics)}
<h3>Curves</h3>
${figures(runCurves(run))}
${settings.length > 0 ? `<details><summary>All ${settings.length} settings</summary>${table(['setting', 'value'], settings.map(([key, value]) => [e(key), e(formatSetting(value))]), 'text')}</details>` : ''}
</section>`;
}
