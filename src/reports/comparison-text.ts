/** The comparison as text for the terminal and as CSV. */
import type { Comparison, MetricComparison } from './compare.ts';
import { writeCsv } from './csv-reader.ts';
import { alignColumns, formatNumber, formatPlain, printable, shorten } from './text.ts';
import { REPORT_WORDS } from './words.ts';
import type { ReportLanguage } from './words.ts';

const RULE = '='.repeat(80);
/** A column of the terminal table; the CSV and the HTML report hold everything in full. */
const CELL_WIDTH = 32;

/** Every value is shown with its step. */
const NEVER: readonly null[] = [];

const cell = (text: string) => shorten(printable(text), CELL_WIDTH);

/**
 * Tables as in the original's comparison, the best value marked with *. Ends without a line break.
 * @param allSettings false shows only settings in which the runs differ
 */
export function formatComparison(comparison: Comparison, allSettings = false, language: ReportLanguage = 'en'): string {
  const w = REPORT_WORDS[language].comparison;
  const { names, settings, best } = comparison;
  const header = ['', ...names.map(cell)];
  const align = `l${'r'.repeat(names.length)}`;
  const shown = allSettings ? settings : settings.filter((row) => row.differs);
  const lines = [RULE, w.title, RULE];
  const table = (title: string, rows: string[][]) => {
    if (rows.length > 0) lines.push('', title, alignColumns([header, ...rows], align));
  };
  const hidden = settings.length - shown.length;
  const bestSteps = best.map((entry) => entry?.step ?? null);
  table(hidden > 0 ? w.differing(String(hidden)) : w.configuration, shown.map((row) => [cell(row.setting), ...row.values.map((value) => cell(value ?? '-'))]));
  if (shown.length === 0) lines.push('', settings.length > 0 ? w.allEqual : w.noSettings);
  table(w.finalTrain, metricRows(comparison.finalTrain, comparison.lastStep.train));
  table(w.finalValidation, metricRows(comparison.finalValidation, comparison.lastStep.validation));
  table(w.bestValidation, metricRows(comparison.bestValidation, NEVER));
  table(w.bestCheckpoints, [
    [w.step, ...best.map((entry) => (entry ? String(entry.step) : '-'))],
    [w.epoch, ...best.map((entry) => (entry?.epoch === null || entry?.epoch === undefined ? '-' : formatPlain(entry.epoch)))],
    [w.chosenBy, ...best.map((entry) => (entry ? cell(entry.recorded ? entry.metric : w.found(entry.metric)) : '-'))],
    [w.value, ...best.map((entry) => formatNumber(entry?.value))],
    [w.path, ...best.map((entry) => cell(entry?.path ?? '-'))],
  ]);
  table(w.validationAtBest, metricRows(comparison.atBestStep.validation, bestSteps));
  table(w.trainAtBest, metricRows(comparison.atBestStep.train, bestSteps));
  const unknown = [...new Set([...comparison.finalTrain, ...comparison.finalValidation].filter((row) => row.direction === 'unknown').map((row) => printable(row.metric)))];
  lines.push('', w.marked + (unknown.length > 0 ? w.unmarked(unknown.join(w.listed)) : ''), RULE);
  return lines.join('\n');
}

/** @param expected the step that goes without saying, per run; values of other steps are shown with theirs */
function metricRows(rows: readonly MetricComparison[], expected: readonly (number | null)[]): string[][] {
  return rows.map((row) => [
    cell(row.metric),
    ...row.cells.map((entry, i) => (entry ? `${formatNumber(entry.value)}${entry.step === expected[i] ? '' : ` @${entry.step}`}${row.winners.includes(i) ? '*' : ' '}` : '- ')),
  ]);
}

/** Everything of the comparison as one CSV: section, name, direction, one column per run, the winners. For programs: its words are the same in every language. */
export function comparisonCsv(comparison: Comparison): string {
  const { names } = comparison;
  const metric = (section: string, rows: readonly MetricComparison[]) =>
    rows.map((row) => [section, row.metric, row.direction, ...row.cells.map((entry) => entry?.value ?? null), row.winners.map((i) => names[i]).join('; ')]);
  return writeCsv(
    ['section', 'name', 'direction', ...names, 'best'],
    [
      ...comparison.settings.map((row) => ['configuration', row.setting, '', ...row.values, '']),
      ...metric('final training', comparison.finalTrain),
      ...metric('final validation', comparison.finalValidation),
      ...metric('best training', comparison.bestTrain),
      ...metric('best validation', comparison.bestValidation),
      ...metric('training at best step', comparison.atBestStep.train),
      ...metric('validation at best step', comparison.atBestStep.validation),
      ['best checkpoint', 'step', '', ...comparison.best.map((entry) => entry?.step ?? null), ''],
      ['best checkpoint', 'chosen by', '', ...comparison.best.map((entry) => entry?.metric ?? null), ''],
      ['best checkpoint', 'value', '', ...comparison.best.map((entry) => entry?.value ?? null), ''],
      ['best checkpoint', 'path', '', ...comparison.best.map((entry) => entry?.path ?? null), ''],
    ],
  );
}
