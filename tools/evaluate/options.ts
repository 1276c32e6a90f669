/** The evaluation's command line. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { parseTrainingConfig, type TrainingConfig } from '../../src/protocol/config.ts';
import { presetSettings } from '../../src/protocol/presets.ts';
import { UsageError, wholeNumber } from '../browser/command-line.ts';

export const USAGE = `npm run evaluate -- [options]   has a whole set answered and measured, in headless Chromium through the page itself

  --model DIR         Hugging Face folder; without it the built-in model
  --adapter DIR[,…]   PEFT folders, at most three; "demo" is the built-in one
  --without-base      leaves the base model out: adapters are compared with the first of them
  --data PATH         JSON, JSONL or ZIP, images beside it, or parquet; without it the built-in validation set
  --limit N           only the first N samples
  --max-new-tokens N  longest answer (default 256)
  --config FILE       JSON with settings, as the page exports them: image size, quantisation, eval_batch_size
  --out DIR           where the files are written (default outputs/evaluation)`;

export interface EvaluateOptions {
  config: TrainingConfig;
  /** Absolute; undefined = the built-in model. */
  model?: string;
  /** Who answers: null = the base model, 'demo', or an absolute PEFT folder. */
  candidates: (string | null)[];
  /** Absolute; undefined = the built-in set. */
  data?: string;
  limit: number;
  maxNewTokens: number;
  out: string;
}

/** As many as the page takes, with the base model. */
const MAX_CANDIDATES = 4;
const READABLE = ['.json', '.jsonl', '.parquet', '.zip'];

/**
 * @returns undefined when only help was asked for
 * @throws UsageError, or LorikeetError "config" for a setting out of range
 */
export function parseEvaluateOptions(argv: readonly string[]): EvaluateOptions | undefined {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      model: { type: 'string' },
      adapter: { type: 'string', multiple: true, default: [] },
      'without-base': { type: 'boolean', default: false },
      data: { type: 'string' },
      limit: { type: 'string', default: '0' },
      'max-new-tokens': { type: 'string', default: '256' },
      config: { type: 'string' },
      out: { type: 'string', default: 'outputs/evaluation' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  const adapters = values.adapter.flatMap((list) => list.split(',')).filter((name) => name !== '');
  const candidates = [...(values['without-base'] ? [] : [null]), ...adapters.map((name) => (name === 'demo' ? name : existing('adapter', name, 'folder')))];
  if (candidates.length === 0) throw new UsageError('--without-base needs an --adapter: nobody would answer.');
  if (candidates.length > MAX_CANDIDATES) throw new UsageError(`--adapter: at most ${MAX_CANDIDATES} can answer side by side, the base model counted.`);
  const given = values.config === undefined ? {} : settingsIn(existing('config', values.config, 'file'));
  const data = values.data === undefined ? undefined : existing('data', values.data, 'file');
  if (data && !READABLE.includes(extname(data).toLowerCase())) throw new UsageError(`--data: ${data} is none of ${READABLE.join(', ')}.`);
  return {
    // All samples of the file are the set: none is kept aside.
    config: parseTrainingConfig({ ...(values.model === undefined ? presetSettings('demo', 'sft') : {}), ...given, method: 'sft', validation_split: 0 }),
    ...(values.model !== undefined && { model: existing('model', values.model, 'folder') }),
    candidates,
    ...(data && { data }),
    limit: wholeNumber('limit', values.limit, 0),
    maxNewTokens: wholeNumber('max-new-tokens', values['max-new-tokens'], 1),
    out: resolve(values.out),
  };
}

function existing(option: string, path: string, kind: 'file' | 'folder'): string {
  const absolute = resolve(path);
  const fits = existsSync(absolute) && (kind === 'folder' ? statSync(absolute).isDirectory() : statSync(absolute).isFile());
  if (!fits) throw new UsageError(`--${option}: there is no ${kind} ${absolute}.`);
  return absolute;
}

function settingsIn(path: string): object {
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed;
  } catch (error) {
    throw new UsageError(`--config: ${path} is not valid JSON: ${(error as Error).message}`);
  }
  throw new UsageError(`--config: ${path} must hold one JSON object.`);
}
