/** npm run fuzz: spoilt files for every reader, until the number of inputs is done; anything that fell can be replayed. */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { formatTable, runCommand, UsageError, wholeNumber } from '../../tools/browser/command-line.ts';
import { READERS } from './readers/index.ts';
import { watch } from './watch.ts';
import { FAULTS, portionsOf, type Kind, type Portion, type Verdict } from './work.ts';

const USAGE = `npm run fuzz -- [options]   spoilt files for every reader of files from outside

  --inputs N        how many (default 20000), shared among the readers
  --seed S          what the draws begin from (default: the clock)
  --only READER     one reader: ${READERS.map(({ name }) => name).join(', ')}
  --case K          with --only: this one input, with all that is known of it
  --processes P     children at work at once (default: one per processor)`;

/** Shown of one reader and kind. */
const MAX_SHOWN = 5;
const COLUMNS: readonly Kind[] = ['read', 'told', 'refused', ...FAULTS];

async function main(argv: string[]): Promise<number> {
  const { values } = parseArgs({ args: argv, options: { inputs: { type: 'string', default: '20000' }, seed: { type: 'string' }, only: { type: 'string' }, case: { type: 'string' }, processes: { type: 'string' }, help: { type: 'boolean', short: 'h' } } });
  if (values.help) return console.log(USAGE), 0;
  const readers = READERS.filter(({ name }) => values.only === undefined || name === values.only);
  if (readers.length === 0) throw new UsageError(`There is no reader "${values.only}".\n\n${USAGE}`);
  if (values.case !== undefined && values.only === undefined) throw new UsageError('--case needs --only: each reader counts its own cases.');
  const seed = values.seed === undefined ? Date.now() % 2 ** 31 : wholeNumber('seed', values.seed, 0);
  const processes = values.processes === undefined ? availableParallelism() : wholeNumber('processes', values.processes, 1);
  const verdicts: Verdict[] = [];
  const take = (verdict: Verdict) => void (verdicts.push(verdict), values.case !== undefined && console.log(verdict));
  const start = performance.now();
  const portions = values.case === undefined ? portionsOf(readers, wholeNumber('inputs', values.inputs, 1)) : [oneCase(readers[0].name, wholeNumber('case', values.case, 0))];
  await Promise.all(sharedOut(portions, processes).map((share) => watch(seed, share, take)));
  console.log(tableOf(verdicts));
  console.log(`\n${verdicts.length} inputs, seed ${seed}, ${Math.round((performance.now() - start) / 1000)} s; slowest ${Math.round(verdicts.reduce((most, { milliseconds }) => Math.max(most, milliseconds), 0))} ms`);
  const faults = verdicts.filter(({ kind }) => FAULTS.includes(kind));
  if (faults.length > 0) console.log(`\n${listOf(faults, seed)}`);
  return faults.length > 0 ? 1 : 0;
}

const oneCase = (reader: string, number: number): Portion => ({ reader, first: number, end: number + 1 });

/** Every process gets a part of each reader's cases, so that none is left with the slow one. */
function sharedOut(portions: readonly Portion[], processes: number): Portion[][] {
  return Array.from({ length: processes }, (_, p) =>
    portions.map(({ reader, first, end }) => ({ reader, first: first + Math.floor(((end - first) * p) / processes), end: first + Math.floor(((end - first) * (p + 1)) / processes) })).filter(({ first, end }) => first < end),
  );
}

function tableOf(verdicts: readonly Verdict[]): string {
  const names = [...new Set(verdicts.map(({ reader }) => reader))].sort();
  const rows = names.map((name) => {
    const own = verdicts.filter(({ reader }) => reader === name);
    return [name, String(own.length), ...COLUMNS.map((kind) => String(own.filter((verdict) => verdict.kind === kind).length))];
  });
  return formatTable([['reader', 'inputs', ...COLUMNS], ...rows], `l${'r'.repeat(COLUMNS.length + 1)}`);
}

function listOf(faults: readonly Verdict[], seed: number): string {
  const shown = new Map<string, number>();
  const lines = faults.flatMap(({ reader, case: number, kind, detail }) => {
    const same = `${reader} ${kind} ${detail.split('\n')[0].replaceAll(/\d+/g, '#').slice(0, 80)}`;
    shown.set(same, (shown.get(same) ?? 0) + 1);
    return shown.get(same)! <= MAX_SHOWN ? [`${kind}: npm run fuzz -- --seed ${seed} --only ${reader} --case ${number}\n  ${detail.split('\n').slice(0, 4).join('\n  ')}`] : [];
  });
  return lines.join('\n');
}

await runCommand(main);
