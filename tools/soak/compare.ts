/** What a run that was disturbed must share with one that was not: every row's figures to the last bit, answers, adapters. */
import type { TrainingLog } from '../../src/protocol/log.ts';
import { CLOCK_KEYS } from '../../src/training/log.ts';

const VALIDATION_CLOCK = ['eval_runtime', 'time'];

type Files = Readonly<Record<string, Uint8Array>>;

const logOf = (files: Files) => JSON.parse(new TextDecoder().decode(files['training_log.json'])) as TrainingLog;
const figures = (row: object, clock: readonly string[]) => JSON.stringify(Object.entries(row).filter(([key]) => !clock.includes(key)));

function rowFaults(name: string, found: readonly { step: number }[], wanted: readonly { step: number }[], clock: readonly string[]): string[] {
  const steps = (rows: readonly { step: number }[]) => rows.map(({ step }) => step).join(' ');
  if (steps(found) !== steps(wanted)) return [`${name} rows are of the steps ${steps(found)}, not ${steps(wanted)}`];
  return wanted.flatMap((row, i) => (figures(row, clock) === figures(found[i], clock) ? [] : [`the ${name} row of step ${row.step} differs: ${figures(found[i], clock)}, not ${figures(row, clock)}`]));
}

/** @returns what differs, in words; nothing where all is the same */
export function differences(found: Files, wanted: Files): string[] {
  const [log, whole] = [logOf(found), logOf(wanted)];
  const same = (path: string) => found[path] !== undefined && Buffer.compare(found[path], wanted[path]) === 0;
  const adapters = Object.keys(wanted).filter((path) => path.endsWith('adapter_model.safetensors') || path === 'val_predictions.jsonl');
  return [
    ...rowFaults('training', log.train_history, whole.train_history, CLOCK_KEYS as string[]),
    ...rowFaults('validation', log.val_history, whole.val_history, VALIDATION_CLOCK),
    ...(JSON.stringify(log.best_checkpoint) === JSON.stringify(whole.best_checkpoint) ? [] : ['the best checkpoint is another']),
    ...adapters.filter((path) => !same(path)).map((path) => `${path} ${found[path] ? 'differs' : 'is missing'}`),
  ];
}
