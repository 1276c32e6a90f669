/** The report tool's command line. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { REPORT_WORDS } from '../../src/reports/words.ts';
import type { ReportLanguage } from '../../src/reports/words.ts';
import { UsageError } from '../browser/command-line.ts';

export const USAGE = `npm run report -- LOG... [options]   reads training logs, prints their summary, compares them, writes a report

  LOG               a log file or a run's folder: training_log.json, trainer_state.json, trainer_log.jsonl, logging.jsonl, CSV
  --out DIR         write summary, CSV, JSON, SVG curves and an HTML report there; without it nothing is written
  --png             PNG beside every SVG (starts a headless Chromium)
  --no-plot         no curves as files; the HTML report keeps them
  --all-settings    compare all settings, not only those that differ
  --statistics      print mean, variance, extremes and trend of every metric too
  --lang en|zh      language of what is printed and written (default en); CSV and JSON are the same in both`;

export interface ReportArguments {
  logs: LogFile[];
  out?: string;
  png: boolean;
  plots: boolean;
  allSettings: boolean;
  statistics: boolean;
  language: ReportLanguage;
}

/** A log to read. */
export interface LogFile {
  /** Absolute. */
  path: string;
  /** As it is shown. */
  shown: string;
  /** Folder or file that names the run, with its parents. */
  named: string;
}

/** What a run's folder is searched for, in this order. */
const LOG_NAMES = ['training_log.json', 'trainer_state.json', 'trainer_log.jsonl', 'logging.jsonl'];

/**
 * Reads the command line.
 * @returns undefined when only help was asked for
 * @throws UsageError
 */
export function parseReportArguments(argv: readonly string[]): ReportArguments | undefined {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      out: { type: 'string' },
      png: { type: 'boolean', default: false },
      'no-plot': { type: 'boolean', default: false },
      'all-settings': { type: 'boolean', default: false },
      statistics: { type: 'boolean', default: false },
      lang: { type: 'string', default: 'en' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  if (positionals.length === 0) throw new UsageError(`Name at least one log.\n\n${USAGE}`);
  if (values.out === '') throw new UsageError('--out needs a folder.');
  if (values.png && (values.out === undefined || values['no-plot'])) throw new UsageError('--png writes files: it goes with --out DIR and without --no-plot.');
  const language = languageOf(values.lang);
  const out = values.out === undefined ? undefined : resolve(values.out);
  if (out !== undefined && existsSync(out) && !statSync(out).isDirectory()) throw new UsageError(`--out: ${out} is a file, not a folder.`);
  return { logs: positionals.map(findLog), out, png: values.png, plots: !values['no-plot'], allSettings: values['all-settings'], statistics: values.statistics, language };
}

function languageOf(given: string): ReportLanguage {
  const languages = Object.keys(REPORT_WORDS) as ReportLanguage[];
  const language = languages.find((code) => code === given);
  if (!language) throw new UsageError(`--lang must be ${languages.join(' or ')}, got "${given}".`);
  return language;
}

/**
 * The log file that a path names: itself, or the log inside a run's folder.
 * @throws UsageError when there is none
 */
export function findLog(given: string): LogFile {
  const path = resolve(given);
  if (!existsSync(path)) throw new UsageError(`There is no file or folder ${path}.`);
  const file = statSync(path).isDirectory() ? logIn(path) : path;
  if (!statSync(file).isFile()) throw new UsageError(`${file} is not a file.`);
  const shown = relative(process.cwd(), file);
  return { path: file, shown: shown.startsWith('..') ? file : shown, named: nameOf(file) };
}

function logIn(folder: string): string {
  for (const name of LOG_NAMES) if (existsSync(join(folder, name))) return join(folder, name);
  const newest = readdirSync(folder)
    .flatMap((name) => (/^checkpoint-\d+$/.test(name) && existsSync(join(folder, name, 'trainer_state.json')) ? [Number(name.slice('checkpoint-'.length))] : []))
    .sort((a, b) => b - a)[0];
  if (newest !== undefined) return join(folder, `checkpoint-${newest}`, 'trainer_state.json');
  throw new UsageError(`${folder} holds no training log: looked for ${LOG_NAMES.join(', ')} and checkpoint-N/trainer_state.json.`);
}

/** A log with a usual name is named by its folder, any other by itself; checkpoint-N belongs to the folder above. */
function nameOf(file: string): string {
  if (!LOG_NAMES.includes(basename(file))) return file.replace(/\.(?:jsonl?|csv)$/i, '');
  const folder = dirname(file);
  return /^checkpoint-\d+$/.test(basename(folder)) ? dirname(folder) : folder;
}
