/** Which cases of which reader make up a number of inputs, and how one of them is judged. */
import { LorikeetError } from '../../src/protocol/errors.ts';
import { Random } from '../../tools/random.ts';
import type { FuzzCase, FuzzReader } from './reader.ts';

/** A reader's cases from `first` up to but not including `end`. */
export interface Portion {
  reader: string;
  first: number;
  end: number;
}

export type Kind = 'read' | 'told' | 'refused' | 'wrong' | 'crash' | 'memory' | 'hang' | 'died';

export interface Verdict {
  reader: string;
  case: number;
  kind: Kind;
  detail: string;
  milliseconds: number;
}

/** More than one input may ask for at once. */
export const MAX_BYTES = 512 * 2 ** 20;
/** Longer than any input may take. */
export const MAX_MILLISECONDS = 2000;
export const FAULTS: readonly Kind[] = ['wrong', 'crash', 'memory', 'hang', 'died'];

/** Shares out a number of inputs among readers; every reader gets at least one. */
export function portionsOf(readers: readonly FuzzReader[], inputs: number): Portion[] {
  const shares = readers.reduce((sum, { share }) => sum + share, 0);
  return readers.map(({ name, share }) => ({ reader: name, first: 0, end: Math.max(1, Math.round((inputs * share) / shares)) }));
}

/** Runs one case. The draws depend on seed, reader and case alone. */
export async function judge(reader: string, run: FuzzCase, seed: number, number: number): Promise<Verdict> {
  const before = process.memoryUsage.rss();
  const start = process.cpuUsage();
  const { kind, detail } = await outcomeOf(run, new Random(seed, reader, number));
  const { user, system } = process.cpuUsage(start);
  // Of the processor: a machine that is busy with something else is no fault of the reader.
  const milliseconds = (user + system) / 1000;
  const verdict = { reader, case: number, kind, detail, milliseconds };
  // The highest mark of the whole process: only what this case added to it counts.
  const peak = process.resourceUsage().maxRSS * 1024;
  const grown = peak > highest ? peak - before : 0;
  highest = Math.max(highest, peak);
  if (grown > MAX_BYTES) return { ...verdict, kind: 'memory', detail: `took ${Math.round(grown / 2 ** 20)} MiB` };
  if (milliseconds > MAX_MILLISECONDS) return { ...verdict, kind: 'hang', detail: `took ${Math.round(milliseconds)} ms` };
  return verdict;
}

let highest = process.resourceUsage().maxRSS * 1024;

async function outcomeOf(run: FuzzCase, random: Random): Promise<Pick<Verdict, 'kind' | 'detail'>> {
  try {
    const outcome = await run(random);
    if (Object.hasOwn(Object.prototype, 'polluted')) {
      delete (Object.prototype as Record<string, unknown>).polluted;
      return { kind: 'wrong', detail: 'every object was given a property' };
    }
    if (outcome === 'read' || outcome === 'told') return { kind: outcome, detail: '' };
    return { kind: 'wrong', detail: outcome.slice('wrong: '.length) };
  } catch (error) {
    if (error instanceof LorikeetError && error.code !== 'internal') return { kind: 'refused', detail: `${error.code}: ${error.message}` };
    return { kind: 'crash', detail: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}
