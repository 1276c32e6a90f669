/** npm run bench: measures in headless Chromium, prints one table per group, and appends the run to a JSON file. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { BenchOptions } from '../../bench/page.ts';
import { rowCells } from '../../bench/result.ts';
import type { BenchDevice, BenchRow, BenchRun } from '../../bench/result.ts';
import { formatTable, runCommand, UsageError } from '../browser/command-line.ts';
import { ROOT } from '../browser/ensure-build.ts';
import { runToolPage } from '../browser/tool-page.ts';

const USAGE = `npm run bench -- [options]   measures kernels, layers and whole steps in headless Chromium

  --only TEXT   only groups whose name contains TEXT
  --json FILE   where runs are collected (default outputs/bench.json)`;

/** @throws UsageError when the file holds something else, so that it is never overwritten */
function readRuns(path: string): BenchRun[] {
  if (!existsSync(path)) return [];
  try {
    const runs: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (Array.isArray(runs)) return runs as BenchRun[];
  } catch {
    // Reported below.
  }
  throw new UsageError(`--json: ${path} exists and does not hold a list of benchmark runs.`);
}

await runCommand(async (argv) => {
  const { values } = parseArgs({
    args: argv,
    options: { only: { type: 'string', default: '' }, json: { type: 'string', default: 'outputs/bench.json' }, help: { type: 'boolean', short: 'h', default: false } },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const file = resolve(values.json);
  const runs = readRuns(file);
  const rows: BenchRow[] = [];
  const { result: device, browserVersion } = await runToolPage<BenchOptions, BenchRow, BenchDevice>(
    'bench',
    'tools/bench/page.html',
    [{ route: '/demo/', folder: `${ROOT}public/demo` }],
    { demoUrl: '/demo/', only: values.only },
    (row) => {
      rows.push(row);
      console.log(`${row.group}: ${rowCells(row).filter((cell) => cell !== '').join('  ')}`);
    },
  );
  if (rows.length === 0) throw new UsageError(`Nothing was measured${values.only === '' ? '' : ` with --only ${values.only}`}.`);

  console.log(`\nChromium ${browserVersion}, ${device.adapter}`);
  for (const group of new Set(rows.map((row) => row.group))) {
    const table = rows.filter((row) => row.group === group).map(rowCells);
    console.log(`\n${group}\n${formatTable([['', '', 'ms', 'value', 'ratio'], ...table], 'llrrr')}`);
  }
  runs.push({ time: new Date().toISOString(), browserVersion, device, rows });
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(runs, null, 2)}\n`);
  console.log(`\nrun ${runs.length} in ${file}`);
  return 0;
});
