/**
 * npm run report: training logs of any program to text, tables, curves and one HTML file.
 * Exit code 0 when every log was read, 1 when one was not or the report could not be written, 2 for a wrong command line.
 */
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { LorikeetError } from '../../src/protocol/errors.ts';
import { compareRuns, nameRuns } from '../../src/reports/compare.ts';
import { formatComparison } from '../../src/reports/comparison-text.ts';
import { checkLogSize, readLog } from '../../src/reports/read-log.ts';
import { reportFiles } from '../../src/reports/report-files.ts';
import type { RunLog } from '../../src/reports/run-log.ts';
import { formatStatistics, formatSummary } from '../../src/reports/summary.ts';
import { printable } from '../../src/reports/text.ts';
import { runCommand } from '../browser/command-line.ts';
import { parseReportArguments, USAGE } from './options.ts';
import type { LogFile, ReportArguments } from './options.ts';
import { renderPng } from './render-png.ts';

/** Runs of a file that holds several keep their own names below the file's. */
function readFile(file: LogFile): RunLog[] {
  checkLogSize(statSync(file.path).size, file.shown);
  const runs = readLog(readFileSync(file.path, 'utf8'), file.shown);
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
  const files: { path: string; text: string | Uint8Array }[] = reportFiles(runs, { generated: new Date(), plots: options.plots, allSettings: options.allSettings });
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
  console.log(`\n${files.length} files in ${relative(process.cwd(), out) || '.'}; open ${join(relative(process.cwd(), out), 'report.html')} in a browser.`);
}

await runCommand(async (argv) => {
  const options = parseReportArguments(argv);
  if (!options) {
    console.log(USAGE);
    return 0;
  }
  const { runs, failed } = readAll(options.logs);
  for (const run of runs) console.log(`${formatSummary(run)}\n${options.statistics ? `\n${formatStatistics(run)}\n` : ''}`);
  if (runs.length > 1) console.log(formatComparison(compareRuns(runs), options.allSettings));
  if (runs.length > 0 && options.out !== undefined) await write(runs, options.out, options);
  return failed > 0 ? 1 : 0;
});
