/** Everything a report consists of, as names and texts; who calls decides where they go. */
import { compareRuns } from './compare.ts';
import { comparisonCsv, formatComparison } from './comparison-text.ts';
import { comparisonCurves, runCurves } from './curves.ts';
import { historyCsv } from './history-csv.ts';
import { htmlReport } from './html.ts';
import { fileName } from './markup.ts';
import { runJson } from './run-json.ts';
import type { RunLog } from './run-log.ts';
import { formatStatistics, formatSummary } from './summary.ts';
import { REPORT_WORDS } from './words.ts';
import type { ReportLanguage } from './words.ts';

export interface ReportFile {
  /** Relative, with "/". */
  path: string;
  text: string;
}

export interface ReportOptions {
  generated: Date;
  /** Off: no SVG files; the HTML report keeps its charts. */
  plots: boolean;
  /** All settings in the comparison's text, not only those that differ. */
  allSettings: boolean;
  /** Of texts, curves and the HTML report; CSV and JSON are for programs. */
  language: ReportLanguage;
}

/**
 * The files of a report. One run: its files at the top. Several: comparison at the top, each run's files in a folder of its own.
 * @param runs with distinct names (nameRuns)
 */
export function reportFiles(runs: readonly RunLog[], options: ReportOptions): ReportFile[] {
  if (runs.length === 1) return [...runFiles(runs[0], '', options), { path: 'report.html', text: htmlReport(runs, null, options.generated, options.language) }];
  const comparison = compareRuns(runs);
  const files: ReportFile[] = [
    { path: 'report.html', text: htmlReport(runs, comparison, options.generated, options.language) },
    { path: 'comparison.txt', text: `${formatComparison(comparison, options.allSettings, options.language)}\n` },
    { path: 'comparison.csv', text: comparisonCsv(comparison) },
  ];
  const folders = new Set<string>(['plots', 'report.html', 'comparison.txt', 'comparison.csv']);
  const plots = new Set<string>();
  if (options.plots) {
    for (const curve of comparisonCurves(runs, REPORT_WORDS[options.language])) files.push({ path: `plots/comparison_${fileName(curve.metric, plots)}.svg`, text: curve.svg(true) });
  }
  for (const run of runs) files.push(...runFiles(run, `${fileName(run.name, folders)}/`, options));
  return files;
}

function runFiles(run: RunLog, folder: string, options: ReportOptions): ReportFile[] {
  const taken = new Set<string>();
  const files: ReportFile[] = [
    { path: `${folder}summary.txt`, text: `${formatSummary(run, options.language)}\n\n${formatStatistics(run, options.language)}\n` },
    { path: `${folder}train_history.csv`, text: historyCsv(run.train) },
    { path: `${folder}val_history.csv`, text: historyCsv(run.validation) },
    { path: `${folder}run.json`, text: runJson(run) },
  ];
  if (options.plots) {
    for (const curve of runCurves(run, REPORT_WORDS[options.language])) files.push({ path: `${folder}${fileName(curve.metric, taken)}_curve.svg`, text: curve.svg(true) });
  }
  return files;
}
