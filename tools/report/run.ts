/**
 * npm run report: training logs of any program to text, tables, curves and one HTML file.
 * Exit code 0 when every log was read, 1 when one was not or the report could not be written, 2 for a wrong command line.
 */
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { LorikeetError } from '../../src/protocol/errors.ts';
import { compareRuns, nameRuns } from '../../src/reports/compare.ts';
import { formatComparison } from '../../src/reports/comparison-text.ts';
import { isEventFile, readEventFile } from '../../src/reports/event-file.ts';
import { checkLogSize, readLog } from '../../src/reports/read-log.ts';
import { reportFiles } from '../../src/reports/report-files.ts';
import type { RunLog } from '../../src/reports/run-log.ts';
import { formatStatistics, formatSummary } from '../../src/reports/summary.ts';
import { printable } from '../../src/reports/text.ts';
import type { ReportLanguage } from '../../src/reports/words.ts';
import { runCommand } from '../browser/command-line.ts';
import { parseReportArguments, USAGE } from './options.ts';
import type { LogFile, ReportArguments } from './options.ts';
import { renderPng } from './render-png.ts';

/** The closing line. */
const WRITTEN: Readonly<Record<ReportLanguage, (files: number, folder: string, page: string) => string>> = {
  en: (files, folder, page) => `${files} files in ${folder}; open ${page} in a browser.`,
  zh: (files, folder, page) => `${folder} 中写入了 ${files} 个文件；请用浏览器打开 ${page}。`,
};

/** Runs of a file that holds several keep their own names below the file's. */
function readFile(file: LogFile): RunLog[] {
  checkLogSize(statSync(file.path).size, file.shown);
  const runs = isEventFile(file.path) ? [readEventFile(readFileSync(file.path), file.shown)] : readLog(readFileSync(file.path, 'utf8'), file.shown);
  return runs.map((run) => ({ ...run, name: run.name === file.shown ? file.named : `${file.named}/${run.name}` }));
}

function readAll(files: readonly LogFile[]): { runs: RunLog[]; failed: number } {
  const runs: RunLog[] = [];
  let failed = 0;
  for (const file of files) {
    try {
      runs.push(...readFile(file));
    } catch (error) {
      if (!(error instanceof LorikeetError)) throw error;
      console.error(printable(`${error.message} ${error.advice}`.trim()));
      failed += 1;
    }
  }
  return { runs: nameRuns(runs), failed };
}

async function write(runs: readonly RunLog[], out: string, options: ReportArguments): Promise<void> {
  const files: { path: string; text: string | Uint8Array }[] = reportFiles(runs, { generated: new Date(), plots: options.plots, allSettings: options.allSettings, language: options.language });
  if (options.png) {
    const curves = files.filter((file): file is { path: string; text: string } => file.path.endsWith('.svg') && typeof file.text === 'string');
    const images = await renderPng(curves.map((curve) => curve.text));
    images.forEach((text, i) => files.push({ path: curves[i].path.replace(/svg$/, 'png'), text }));
  }
  for (const { path, text } of files) {
    const target = join(out, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text);
  }
  console.log(`\n${WRITTEN[options.language](files.length, relative(process.cwd(), out) || '.', join(relative(process.cwd(), out), 'report.html'))}`);
}

await runCommand(async (argv) => {
  const options = parseReportArguments(argv);
  if (!options) {
    console.log(USAGE);
    return 0;
  }
  const { runs, failed } = readAll(options.logs);
  for (const run of runs) console.log(`${formatSummary(run, options.language)}\n${options.statistics ? `\n${formatStatistics(run, options.language)}\n` : ''}`);
  if (runs.length > 1) console.log(formatComparison(compareRuns(runs), options.allSettings, options.language));
  if (runs.length > 0 && options.out !== undefined) await write(runs, options.out, options);
  return failed > 0 ? 1 : 0;
});
