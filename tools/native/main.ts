/** Entry of the bundle: benchmarks, checks, compilation and tuning of the engine in Node on Dawn. */
import { installGpu, removeGpu } from './dawn.ts';
import { existsSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { runBench } from '../../bench/page.ts';
import { rowCells, type BenchRow } from '../../bench/result.ts';
import type { DeviceProfile } from '../../src/gpu/device-shape.ts';
import { formatTable, runCommand, UsageError } from '../browser/command-line.ts';
import { formatCheck, runChecks, type CheckRow } from './checks/run.ts';
import { compileAll } from './compile/run.ts';
import { fileFetch } from './file-fetch.ts';
import { tuneDevice } from './tune.ts';

const USAGE = `node lorikeet-native.mjs bench|check|compile|tune [options]

  --only TEXT        only groups, of compile entries, of tune classes, whose name contains TEXT
  --seconds N        tune: what it may take (default 10, as on the page)
  --demo FOLDER      the folder with model/ and data/ (default: demo beside this file, or public/demo)
  --profile NAME     check: kernels shaped for a "gpu" (default) or a "rasterizer"
  --adapter TEXT     only adapters whose name contains TEXT, e.g. llvmpipe
  --dawn KEY=VALUE   further options of Dawn; may be given several times
  --json FILE        writes device and rows`;

function findDemo(given: string | undefined): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const folders = given === undefined ? [join(here, 'demo'), join(here, '../../public/demo')] : [resolve(given)];
  const found = folders.find((folder) => existsSync(join(folder, 'model/config.json')));
  if (!found) throw new UsageError(`No model/config.json in ${folders.join(' or ')}: say where the demo is with --demo.`);
  return `${pathToFileURL(found).href}/`;
}

async function bench(demoUrl: string, only: string): Promise<object> {
  const rows: BenchRow[] = [];
  const device = await runBench({ demoUrl, only }, (row) => {
    rows.push(row);
    console.log(`${row.group}: ${rowCells(row).filter((cell) => cell !== '').join('  ')}`);
  });
  if (rows.length === 0) throw new UsageError(`Nothing was measured with --only ${only}.`);
  console.log(`\n${device.userAgent}, ${device.adapter}`);
  for (const group of new Set(rows.map((row) => row.group))) {
    const table = rows.filter((row) => row.group === group).map(rowCells);
    console.log(`\n${group}\n${formatTable([['', '', 'ms', 'value', 'ratio'], ...table], 'llrrr')}`);
  }
  return { time: new Date().toISOString(), browserVersion: device.userAgent, device, rows };
}

async function check(demoUrl: string, only: string, profile: DeviceProfile): Promise<{ failed: number }> {
  const rows: CheckRow[] = [];
  const device = await runChecks({ demoUrl, only, profile }, (row) => {
    rows.push(row);
    console.log(formatCheck(row));
  });
  if (rows.length === 0) throw new UsageError(`Nothing was checked with --only ${only}.`);
  const failed = rows.filter(({ passed }) => !passed).length;
  console.log(`\n${rows.length - failed} of ${rows.length} hold on ${device}`);
  return { time: new Date().toISOString(), device, rows, failed } as { failed: number };
}

async function compile(only: string): Promise<object> {
  const result = await compileAll(only, (name) => console.log(name));
  if (result.entries === 0) throw new UsageError(`Nothing was compiled with --only ${only}.`);
  console.log(`\n${result.entries} entries, ${result.dispatches} dispatches on ${result.device}`);
  return { time: new Date().toISOString(), ...result };
}

async function tune(only: string, seconds: number): Promise<object> {
  const result = await tuneDevice(only, seconds, ({ key, variant, usual, milliseconds, share }) =>
    console.log(`${key}: ${variant}${usual ? '' : ' (not the usual)'}  ${milliseconds.toFixed(3)} ms${share === null ? '' : `  ${(100 * share).toFixed(0)} % of peak`}`),
  );
  if (result.classes.length === 0) throw new UsageError(`Nothing was tuned with --only "${only}" within ${seconds} s.`);
  console.log(`\n${result.classes.length} classes in ${result.seconds.toFixed(1)} s, ${result.untouched.length} left as they are, on ${result.device}`);
  return { time: new Date().toISOString(), ...result };
}

const PROGRAMS = ['bench', 'check', 'compile', 'tune'] as const;
type Program = (typeof PROGRAMS)[number];

function runProgram(program: Program, only: string, seconds: number, profile: DeviceProfile, demo: string | undefined): Promise<object> {
  if (program === 'compile') return compile(only);
  if (program === 'tune') return tune(only, seconds);
  const demoUrl = findDemo(demo);
  return program === 'bench' ? bench(demoUrl, only) : check(demoUrl, only, profile);
}

await runCommand(async (argv) => {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      only: { type: 'string', default: '' },
      seconds: { type: 'string', default: '10' },
      demo: { type: 'string' },
      profile: { type: 'string', default: 'gpu' },
      adapter: { type: 'string' },
      dawn: { type: 'string', multiple: true, default: [] },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const program = PROGRAMS.find((name) => name === positionals[0]);
  if (values.help || positionals.length !== 1 || !program) {
    console.log(USAGE);
    return values.help ? 0 : 2;
  }
  if (values.profile !== 'gpu' && values.profile !== 'rasterizer') throw new UsageError(`--profile must be gpu or rasterizer, got "${values.profile}".`);
  const seconds = Number(values.seconds);
  if (!(seconds > 0)) throw new UsageError(`--seconds must be a number above 0, got "${values.seconds}".`);
  globalThis.fetch = fileFetch(globalThis.fetch);
  installGpu([...(values.adapter === undefined ? [] : [`adapter=${values.adapter}`]), ...values.dawn]);
  const result = await runProgram(program, values.only, seconds, values.profile, values.demo);
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, null, 2)}\n`);
  // A driver that only compiles does not survive being taken down.
  if (program === 'compile') process.exit(0);
  removeGpu();
  return 'failed' in result && result.failed !== 0 ? 1 : 0;
});
