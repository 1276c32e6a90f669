/** The command line of npm run inspect. */
import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { METHODS, type Method } from '../../src/protocol/config.ts';
import { UsageError } from '../browser/command-line.ts';

export const USAGE = `npm run inspect -- PATH... [options]   what the page would say of a dataset, model folder, adapter or training log

  PATH           a file, a folder or a ZIP; files of one dataset may be named one by one
  --model DIR    counts tokens and checks an adapter with this model; boxes are read in its unit
  --method NAME  reads a dataset for ${METHODS.join(', ')}; left out, whatever most samples fit
  --samples N    first conversations to print (default 2)
  --json         one JSON object instead of text

Exit code 0 when everything can be used, 1 when something cannot, 2 for a wrong command line.`;

export interface InspectArguments {
  /** Absolute. */
  paths: string[];
  model?: string;
  method?: Method;
  samples: number;
  json: boolean;
}

/**
 * @returns undefined when only help was asked for
 * @throws UsageError
 */
export function parseInspectArguments(argv: readonly string[]): InspectArguments | undefined {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      model: { type: 'string' },
      method: { type: 'string' },
      samples: { type: 'string', default: '2' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  if (positionals.length === 0) throw new UsageError(`Name a file or a folder.\n\n${USAGE}`);
  const method = METHODS.find((name) => name === values.method);
  if (values.method !== undefined && !method) throw new UsageError(`--method must be one of ${METHODS.join(', ')}, got "${values.method}".`);
  const samples = Number(values.samples);
  if (!Number.isInteger(samples) || samples < 0) throw new UsageError(`--samples must be a whole number from 0 on, got "${values.samples}".`);
  const paths = positionals.map((path) => existing(path));
  const model = values.model === undefined ? undefined : existing(values.model);
  if (model !== undefined && !statSync(model).isDirectory()) throw new UsageError(`--model: ${model} is no folder.`);
  return { paths, ...(model !== undefined && { model }), ...(method && { method }), samples, json: values.json };
}

function existing(path: string): string {
  const absolute = resolve(path);
  if (!existsSync(absolute)) throw new UsageError(`There is no ${absolute}.`);
  return absolute;
}
