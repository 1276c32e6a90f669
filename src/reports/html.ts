/** The HTML report: one file, no program, nothing loaded. Holds the runs as data too. Opens from disk, prints, follows the system's light or dark theme. */
import type { Comparison, MetricComparison } from './compare.ts';
import { comparisonCurves, runCurves } from './curves.ts';
import type { Curve } from './curves.ts';
import { runColour } from './colours.ts';
import { embedRuns } from './embedded-runs.ts';
import { escapeMarkup } from './markup.ts';
import type { RunBest } from './metrics.ts';
import { noteText } from './notes.ts';
import type { RunLog } from './run-log.ts';
import { runStatistics } from './statistics.ts';
import { summarise } from './summary.ts';
import { CHART_STYLE } from './svg-chart.ts';
import { formatNumber, formatPlain, formatSeconds, formatSetting } from './text.ts';
import { REPORT_WORDS } from './words.ts';
import type { ReportLanguage, ReportWords } from './words.ts';

const STYLE = `:root{color-scheme:light dark;--page:#f5f7f5;--card:#fff;--ink:#15201b;--muted:#5d6963;--line:#e2e7e3;--good:#dff2e9;--good-ink:#0a5a3f;--warn:#fdf1dd;--warn-ink:#7a3a04}
@media (prefers-color-scheme:dark){:root{--page:#0f1412;--card:#171d1a;--ink:#e6ede9;--muted:#97a49d;--line:#28322d;--good:#12352a;--good-ink:#7fe0b8;--warn:#35290f;--warn-ink:#f2b75f}}
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);font:14px/1.5 system-ui,"Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1240px;margin:0 auto;padding:24px 16px 64px}h1{font-size:24px;margin:0 0 4px}h2{font-size:18px;margin:36px 0 8px;overflow-wrap:anywhere}h3{font-size:14px;margin:20px 0 6px}
p{margin:4px 0}.muted{color:var(--muted)}.note{background:var(--warn);color:var(--warn-ink);border-radius:8px;padding:8px 12px;margin:8px 0}
.info{background:none;color:var(--muted);padding:0}.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:10px}
table{border-collapse:collapse;width:100%}th,td{padding:5px 12px;text-align:right;border-bottom:1px solid var(--line);vertical-align:top}tr:last-child td,tr:last-child th{border-bottom:0}
th:first-child,td:first-child,.text td,.text th{text-align:left}thead th{color:var(--muted);font-weight:600}tbody th{font-weight:500}th,.text td{overflow-wrap:anywhere;min-width:8em}tbody th{min-width:12em}td{white-space:nowrap}.text td{white-space:normal}.statistics th,.statistics td{padding:5px 8px}.statistics thead th{min-width:0;white-space:nowrap}
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
 * @param language of all words that are not the log's own
 */
export function htmlReport(runs: readonly RunLog[], comparison: Comparison | null, generated: Date, language: ReportLanguage): string {
  const words = REPORT_WORDS[language];
  const title = comparison ? words.html.comparisonTitle : words.html.title;
  return `<!doctype html>
<html lang="${words.lang}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${words.labelled(title, e(runs.map((run) => run.name).join(', ').slice(0, 200)))}</title>
<style>${STYLE}
${CHART_STYLE}</style>
</head>
<body>
<main>
<h1>${title}</h1>
<p class="muted">${words.html.generated(generated.toISOString().slice(0, 19).replace('T', ' '), runs.length)}</p>
${comparison ? comparisonSections(runs, comparison, words) : ''}
${runs.map((run) => runSection(run, language)).join('\n')}
<p class="muted">${words.html.reopen}</p>
</main>
${embedRuns(runs)}
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

function comparisonSections(runs: readonly RunLog[], comparison: Comparison, words: ReportWords): string {
  const { comparison: w, html } = words;
  const names = runs.map((run, i) => `<span class="swatch" style="background:${runColour(i)}"></span>${e(run.name)}`);
  const settings = (rows: Comparison['settings']) => table([html.setting, ...names], rows.map((row) => [e(row.setting), ...row.values.map((value) => (value === null ? '–' : e(value)))]), 'text');
  const different = comparison.settings.filter((row) => row.differs);
  const equal = comparison.settings.filter((row) => !row.differs);
  const metrics = (title: string, rows: readonly MetricComparison[], expected: readonly (number | null)[]) =>
    rows.length === 0 ? '' : `<h3>${title}</h3>${table([html.metric, html.betterIs, ...names], rows.map((row) => [e(row.metric), words.directions[row.direction], ...row.cells.map((_, i) => metricCell(row, i, expected[i], html.best))]))}`;
  const best = comparison.best;
  const bestSteps = best.map((entry) => entry?.step ?? null);
  return `<section>
<h2>${html.settings}</h2>
${different.length > 0 ? settings(different) : `<p class="muted">${comparison.settings.length > 0 ? html.allEqual : html.noSettings}</p>`}
${equal.length > 0 ? `<details><summary>${html.equalSettings(String(equal.length))}</summary>${settings(equal)}</details>` : ''}
</section>
<section>
<h2>${html.metrics}</h2>
<p class="muted">${html.marked}</p>
<h3>${w.bestCheckpoints}</h3>
${table(['', ...names], [
  [w.step, ...best.map((entry) => (entry ? String(entry.step) : '–'))],
  [w.chosenBy, ...best.map((entry) => (entry ? e(entry.recorded ? entry.metric : html.found(entry.metric)) : '–'))],
  [w.value, ...best.map((entry) => (entry ? formatNumber(entry.value) : '–'))],
  [w.path, ...best.map((entry) => (entry?.path ? e(entry.path) : '–'))],
])}
${metrics(html.bestValidation, comparison.bestValidation, [])}
${metrics(w.validationAtBest, comparison.atBestStep.validation, bestSteps)}
${metrics(w.finalValidation, comparison.finalValidation, comparison.lastStep.validation)}
${metrics(w.finalTrain, comparison.finalTrain, comparison.lastStep.train)}
${metrics(w.trainAtBest, comparison.atBestStep.train, bestSteps)}
</section>
<section>
<h2>${html.trainingCurves}</h2>
${figures(comparisonCurves(runs, words))}
</section>`;
}

/**
 * @param expected the step that goes without saying
 * @param best what the best cell is called
 */
function metricCell(row: MetricComparison, run: number, expected: number | null | undefined, best: string): string {
  const cell = row.cells[run];
  if (!cell) return '–';
  const text = `${formatNumber(cell.value)}${cell.step === expected ? '' : ` <span class="muted">@${cell.step}</span>`}`;
  return row.winners.includes(run) ? `<td class="best" title="${best}">${text}</td>` : text;
}

function figures(curves: readonly Curve[]): string {
  return `<div class="figures">\n${curves.map((curve) => `<figure>${curve.svg(false)}</figure>`).join('\n')}\n</div>`;
}

function runSection(run: RunLog, language: ReportLanguage): string {
  const words = REPORT_WORDS[language];
  const { html } = words;
  const at = (entry: { value: number; step: number } | null) => (entry ? `${formatNumber(entry.value)} <span class="muted">@${entry.step}</span>` : '–');
  const statistics = runStatistics(run).map((row) => [
    e(row.metric), row.history === 'train' ? html.training : html.validation, String(row.count), String(row.gaps), formatNumber(row.mean), formatNumber(row.variance),
    at(row.min), at(row.max), at(row.last), row.slope === null ? '–' : formatNumber(row.slope),
    row.best ? `<td class="best" title="${html.directionIsBetter(words.directions[row.direction])}">${at(row.best)}</td>` : html.unknown,
  ]);
  const settings = Object.entries(run.config).sort(([a], [b]) => (a < b ? -1 : 1));
  return `<section>
<h2>${e(run.name)}</h2>
<p class="muted">${e(run.source)}</p>
${run.notes.map((note) => `<p class="note${note.level === 'info' ? ' info' : ''}">${e(noteText(note, language))}</p>`).join('\n')}
${table(['', ''], runFacts(run, words).map(([label, value]) => [label, e(value)]), 'text')}
<h3>${html.statistics}</h3>
${table(html.statisticsHead, statistics, 'statistics')}
<h3>${html.curves}</h3>
${figures(runCurves(run, words))}
${settings.length > 0 ? `<details><summary>${html.allSettings(String(settings.length))}</summary>${table([html.setting, html.value], settings.map(([key, value]) => [e(key), e(formatSetting(value))]), 'text')}</details>` : ''}
</section>`;
}

/** Label and value; the values still as they stand in the log. */
function runFacts(run: RunLog, words: ReportWords): [string, string][] {
  const { html } = words;
  const summary = summarise(run);
  const fact = (label: string, value: string | null): [string, string][] => (value === null ? [] : [[label, value]]);
  return [
    [html.log, words.dialects[run.dialect]],
    ...summary.settings.map(([setting, value]): [string, string] => [words.settings[setting], value]),
    [html.trainRows, String(summary.trainRows)],
    [html.validationRows, String(summary.validationRows)],
    ...fact(html.finalStep, summary.finalStep === null ? null : String(summary.finalStep)),
    ...fact(html.finalEpoch, summary.finalEpoch === null ? null : formatPlain(summary.finalEpoch)),
    ...fact(html.duration, summary.duration === null ? null : formatSeconds(summary.duration, words.time)),
    ...fact(html.tokens, summary.tokens === null ? null : summary.tokens.toLocaleString('en-US')),
    ...fact(html.device, summary.device),
    [html.bestCheckpoint, bestText(summary.best, html)],
  ];
}

function bestText(best: RunBest | null, html: ReportWords['html']): string {
  if (!best) return html.unknown;
  const found = (best.recorded ? html.bestAt : html.bestFoundAt)(String(best.step), best.metric, formatNumber(best.value));
  return best.path ? html.withPath(found, best.path) : found;
}
