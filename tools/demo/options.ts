/** The demo runner's command line. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { METHODS, parseTrainingConfig } from '../../src/protocol/config.ts';
import { presetSettings } from '../../src/protocol/presets.ts';
import type { TrainingConfig } from '../../src/protocol/config.ts';
import { UsageError, wholeNumber } from '../browser/command-line.ts';

export const USAGE = `npm run demo -- [options]   trains in headless Chromium through the page itself

  --method NAME     sft, dpo, grpo or grpo-trl (default sft)
  --adapter WHICH   adapter to start from: "demo" (the built-in one), "none", or a PEFT folder; by default dpo and grpo
                    start from the built-in one when they train the built-in model
  --steps N         optimizer steps (default 60; dpo 48, grpo 40)
  --seed N          seed of adapter, data order and dropout (default 42)
  --config FILE     JSON with settings, as the page exports them; the options above win over it
  --model DIR       Hugging Face folder to train instead of the built-in model
  --data SET        built-in set: pictures or video (default pictures)
  --train FILE      training data (JSON or JSONL, images beside it) instead of the built-in set
  --val FILE        validation data for --train
  --memory          leaves memory.csv beside the run: page, GPU and step time at every twentieth step (Linux)
  --out DIR         where the run is written (default outputs/demo)`;

export interface DemoOptions {
  config: TrainingConfig;
  /** Absolute folder of the model; undefined trains the built-in one. */
  model?: string;
  /** The built-in set where `train` is not given. */
  data: 'pictures' | 'video';
  train?: string;
  val?: string;
  /** Absolute folder of the adapter to start from, or the built-in one. */
  adapter?: { kind: 'demo' } | { kind: 'folder'; path: string };
  /** Watches the memory of page and GPU. */
  memory: boolean;
  out: string;
}

function existing(option: string, path: string, kind: 'file' | 'folder'): string {
  const absolute = resolve(path);
  const fits = existsSync(absolute) && (kind === 'folder' ? statSync(absolute).isDirectory() : statSync(absolute).isFile());
  if (!fits) throw new UsageError(`--${option}: there is no ${kind} ${absolute}.`);
  return absolute;
}

function readSettings(path: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new UsageError(`--config: ${path} is not valid JSON: ${(error as Error).message}`);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw new UsageError(`--config: ${path} must hold one JSON object.`);
  return parsed as Record<string, unknown>;
}

function chooseAdapter(which: string): DemoOptions['adapter'] {
  if (which === 'none') return undefined;
  return which === 'demo' ? { kind: 'demo' } : { kind: 'folder', path: existing('adapter', which, 'folder') };
}

/**
 * Reads the command line. Settings come from the demo preset, then --config, then the single options.
 * @returns undefined when only help was asked for
 * @throws UsageError, or LorikeetError "config" for a setting out of range
 */
export function parseDemoOptions(argv: readonly string[]): DemoOptions | undefined {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      method: { type: 'string' },
      adapter: { type: 'string' },
      steps: { type: 'string' },
      seed: { type: 'string' },
      config: { type: 'string' },
      model: { type: 'string' },
      data: { type: 'string', default: 'pictures' },
      train: { type: 'string' },
      val: { type: 'string' },
      memory: { type: 'boolean', default: false },
      out: { type: 'string', default: 'outputs/demo' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  if (values.val !== undefined && values.train === undefined) throw new UsageError('--val goes with --train: the built-in data has its own validation set.');

  if (values.data !== 'pictures' && values.data !== 'video') throw new UsageError(`--data: ${values.data} is neither pictures nor video.`);
  if (values.data === 'video' && values.train !== undefined) throw new UsageError('--data goes without --train: it names a built-in set.');

  const given = values.config === undefined ? {} : readSettings(existing('config', values.config, 'file'));
  const wanted = values.method ?? given.method ?? 'sft';
  const method = METHODS.find((name) => name === wanted);
  if (!method) throw new UsageError(`--method: ${String(wanted)} is not among ${METHODS.join(', ')}.`);
  const settings: Record<string, unknown> = { ...presetSettings('demo', method), ...given, method };
  if (values.steps !== undefined) settings.max_steps = wholeNumber('steps', values.steps, 1);
  if (values.seed !== undefined) settings.seed = wholeNumber('seed', values.seed, 0);

  return {
    adapter: chooseAdapter(values.adapter ?? (method !== 'sft' && values.model === undefined ? 'demo' : 'none')),
    config: parseTrainingConfig(settings),
    model: values.model === undefined ? undefined : existing('model', values.model, 'folder'),
    train: values.train === undefined ? undefined : existing('train', values.train, 'file'),
    val: values.val === undefined ? undefined : existing('val', values.val, 'file'),
    data: values.data,
    memory: values.memory,
    out: resolve(values.out),
  };
}
