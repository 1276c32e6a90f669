/** The soak's command line. */
import { parseArgs } from 'node:util';
import { UsageError, wholeNumber } from '../browser/command-line.ts';

export const USAGE = `npm run soak -- [options]   trains the demo while faults strike, and compares with an undisturbed run

  --faults N   ends after the run in which the N-th fault struck (default 20)
  --hours H    ends after the run that is under way then
  --seed S     what the draws begin from (default: the clock)
  --run R      only the R-th run of this seed, to see once more what fell
  --soft N     faults in each worker's life that it may outlive (default 4)
  --hard N     of each run's workers, so many are ended: tab, renderer, browser, GPU, worker (default 3)
  --diary      says all that is heard and done, also of runs that hold`;

export interface SoakOptions {
  faults: number;
  hours: number;
  seed: number;
  run: number | null;
  soft: number;
  hard: number;
  diary: boolean;
}

/**
 * @returns undefined when only help was asked for
 * @throws UsageError
 */
export function parseSoakOptions(argv: readonly string[]): SoakOptions | undefined {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...argv],
    options: { faults: text, hours: text, seed: text, run: text, soft: text, hard: text, diary: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help) return undefined;
  const hours = values.hours === undefined ? Infinity : Number(values.hours);
  if (!(hours > 0)) throw new UsageError(`--hours must be a number above 0, got "${values.hours}".`);
  const whole = (name: 'faults' | 'seed' | 'run' | 'soft' | 'hard', otherwise: number, min = 0) => (values[name] === undefined ? otherwise : wholeNumber(name, values[name], min));
  return {
    hours,
    faults: whole('faults', values.hours === undefined ? 20 : Infinity, 1),
    seed: whole('seed', Date.now() % 2 ** 31),
    run: values.run === undefined ? null : whole('run', 1, 1),
    soft: whole('soft', 4),
    hard: whole('hard', 3),
    diary: values.diary,
  };
}
