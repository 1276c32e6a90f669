/** The command line of npm run shapes. */
import { parseArgs } from 'node:util';
import { PUBLISHED } from '../../bench/published-shapes.ts';
import type { ShapeOptions } from './checkpoint.ts';

export const USAGE = `npm run shapes -- --model NAME --out DIR [--layers N] [--vision-layers N] [--seed S] [--shard-gb G]
  --model          ${Object.keys(PUBLISHED).join(', ')}
  --out            an empty or new folder
  --layers         layers of the language model, where all of them are too slow
  --vision-layers  blocks of the vision tower
  --seed           of the random weights, default 1
  --shard-gb       size of a weight file, default 2`;

export interface ShapeArguments extends ShapeOptions {
  model: string;
  out: string;
}

/** The options, or what is wrong with them. */
export function parseShapeArguments(given: readonly string[]): ShapeArguments | string {
  let values: Partial<Record<'model' | 'out' | 'layers' | 'vision-layers' | 'seed' | 'shard-gb', string>>;
  try {
    const text = { type: 'string' } as const;
    ({ values } = parseArgs({ args: [...given], options: { model: text, out: text, layers: text, 'vision-layers': text, seed: text, 'shard-gb': text } }));
  } catch (error) {
    return (error as Error).message;
  }
  const { model, out } = values;
  if (model === undefined || !Object.hasOwn(PUBLISHED, model)) return `--model must be one of ${Object.keys(PUBLISHED).join(', ')}.`;
  if (!out) return '--out is missing.';
  const counts = (['layers', 'vision-layers', 'seed'] as const).map((key) => [key, values[key] === undefined ? null : Number(values[key])] as const);
  const wrong = counts.find(([key, value]) => value !== null && !(Number.isInteger(value) && value >= (key === 'seed' ? 0 : 1) && value <= (key === 'seed' ? 2 ** 32 - 1 : 512)));
  if (wrong) return `--${wrong[0]} must be a whole number${wrong[0] === 'seed' ? '' : ' from 1 on'}.`;
  const [layers, visionLayers, seed] = counts.map(([, value]) => value);
  const shardGb = values['shard-gb'] === undefined ? 2 : Number(values['shard-gb']);
  if (!(shardGb > 0 && shardGb <= 1000)) return '--shard-gb must be a number above 0.';
  return { model, out, layers, visionLayers, seed: seed ?? 1, shardBytes: shardGb * 1e9 };
}
